"""`kidneyparsing models`: what networks there are."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..inference.registry import ModelInfo


def add_models_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `models`."""
    parser = subparsers.add_parser("models", help="list the networks", description="Networks that can be used.")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(run=run_models)


def run_models(arguments: argparse.Namespace) -> int:
    """Print name, size, structures, scores and description of every model."""
    from ..inference.registry import list_models

    models = list_models()
    if arguments.json:
        print(json.dumps([asdict(model) for model in models], indent=2))
    else:
        print("\n".join(map(_description, models)))
    return 0


def _description(model: ModelInfo) -> str:
    scores = ", ".join(f"{name} {value}" for name, value in model.scores.items()) or "none yet"
    return (
        f"{model.name}  ({model.megabytes:.1f} MB, {model.weights})\n"
        f"    {model.description}\n"
        f"    structures: {', '.join(model.structures)}\n"
        f"    scores: {scores}"
    )
