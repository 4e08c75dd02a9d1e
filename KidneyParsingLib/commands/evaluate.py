"""`kidneyparsing evaluate`: how well a segmentation agrees with a reference."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

_SAME_GRID_MM = 0.01


def add_evaluate_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `evaluate`."""
    parser = subparsers.add_parser("evaluate", help="compare with a reference", description="Dice by structure.")
    parser.add_argument("result", metavar="RESULT", type=Path, help=".seg.nrrd that segment wrote, or .nii.gz labels")
    parser.add_argument("reference", metavar="REFERENCE", type=Path, help="labels 1..6 on the same grid")
    parser.add_argument("--ignore", type=int, metavar="LABEL", help="reference label of voxels that do not count")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(run=run_evaluate)


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Print the Dice of every structure of the reference."""
    from ..errors import InputError
    from ..evaluation.metrics import dice_by_structure
    from ..volumes.writing import read_structure_labels

    (result, grid), (reference, other) = map(read_structure_labels, (arguments.result, arguments.reference))
    if result.shape != reference.shape or abs(grid - other).max() > _SAME_GRID_MM:
        raise InputError(f"{arguments.result} and {arguments.reference} are on different grids; give labels of one CT.")
    scores = dice_by_structure(result, reference, None if arguments.ignore is None else reference == arguments.ignore)
    if arguments.json:
        print(json.dumps(scores))
    for name, score in scores.items() if not arguments.json else ():
        print(f"{name:<8} {score:.3f}")
    return 0
