"""`kidneyparsing models`: what networks there are."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..inference.registry import ModelInfo


def add_models_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `models`."""
    parser = subparsers.add_parser("models", help="list the networks", description="Networks that can be used.")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(run=run_models)


def run_models(arguments: argparse.Namespace) -> int:
    """Print name, size, structures, licence, scores and description of every model."""
    from ..inference.registry import list_models

    models = list_models()
    if arguments.json:
        print(json.dumps([_record(model) for model in models], indent=2))
    else:
        print("\n".join(map(_description, models)))
    return 0


def _record(model: ModelInfo) -> dict[str, object]:
    plain = ("name", "description", "structures", "weights", "licence", "scores")
    return {key: getattr(model, key) for key in plain} | {"megabytes": round(model.megabytes, 2)}


def _description(model: ModelInfo) -> str:
    lines = [
        f"{model.name}  ({model.megabytes:.1f} MB, {len(model.weights)} weights files, {model.licence})",
        f"    {model.description}",
        f"    structures: {', '.join(model.structures)}",
    ]
    for test, scores in model.scores.items():
        lines.append(f"    {test}: {', '.join(f'{name} {score:.3f}' for name, score in scores.items())}")
    return "\n".join(lines)
