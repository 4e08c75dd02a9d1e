"""`python -m KidneyParsingLib.speed.agreement LABELS REFERENCE`: how equal two label files are, as one JSON line."""

from __future__ import annotations

import json
import sys

import numpy as np

from ..anatomy import STRUCTURES
from ..errors import InputError
from ..volumes.writing import read_structure_labels


def agreement(labels: np.ndarray, reference: np.ndarray) -> dict:
    """Share of equal voxels of two label arrays (z, y, x), and Dice by structure (those that either has)."""
    dice = {}
    for structure in STRUCTURES:
        ours, theirs = labels == structure.label, reference == structure.label
        if size := int(ours.sum()) + int(theirs.sum()):
            dice[structure.name] = 2 * int((ours & theirs).sum()) / size
    return {"equal": float((labels == reference).mean()), "dice": dice}


def main(path: str, reference: str) -> None:
    """Compare two files."""
    (labels, _), (exact, _) = read_structure_labels(path), read_structure_labels(reference)
    if labels.shape != exact.shape:
        raise InputError(f"{path} and {reference} are not on the same grid; run the benchmark in a new folder.")
    sys.stdout.write(json.dumps(agreement(labels, exact)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
