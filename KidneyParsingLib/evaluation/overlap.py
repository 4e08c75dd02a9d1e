"""Overlap of two masks or label maps, voxel by voxel."""

from __future__ import annotations

import numpy as np

from ..anatomy import STRUCTURES


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Dice similarity 2|A and B| / (|A| + |B|) of two boolean arrays; 1 where both are empty (Dice 1945).

    That an absent structure rightly found absent is worth 1, and a missed one 0, is KiTS's convention too.
    """
    total = int(a.sum()) + int(b.sum())
    return 1.0 if total == 0 else 2.0 * int((a & b).sum()) / total


def dice_by_structure(predicted: np.ndarray, truth: np.ndarray, ignore: np.ndarray | None = None) -> dict[str, float]:
    """Dice of every structure that is in the truth, by name; voxels where `ignore` is true do not count.

    Both arrays hold structure labels (`anatomy.Structure.label`).
    """
    if ignore is not None:
        predicted, truth = predicted[~ignore], truth[~ignore]
    present = [entry for entry in STRUCTURES if (truth == entry.label).any()]
    return {entry.name: dice(predicted == entry.label, truth == entry.label) for entry in present}
