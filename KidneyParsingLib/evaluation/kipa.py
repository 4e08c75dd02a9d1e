"""KiPA22's scores as its organisers compute them, for comparison with published ones.

Source: https://kipa22.grand-challenge.org/evaluation-details/ and KiPA2022/kipa22 (fcad1ed), EVALUATION/evaluation.py.
Dice is taken on the scan's grid. HD and AVD are taken on a grid of 1 mm (nearest neighbour), between contours: voxels
with one of 26 neighbours outside, where the volume's edge is no contour. Where a structure is not found, the faces of
the volume stand in for its contour.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from ..anatomy import structure
from .challenges import LABEL_CONVENTIONS
from .overlap import dice
from .surfaces import SurfaceDistances, average_hausdorff, hausdorff

_FULL = np.ones((3, 3, 3), bool)
_NOTHING = {"hd": math.nan, "avd": math.nan}


def kipa_scores(predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]) -> dict[str, dict[str, float]]:
    """Dice, HD and AVD of kidney, tumor, artery and vein: structure -> "dice", "hd", "avd" -> value.

    Both maps hold structure labels (`anatomy.Structure.label`) (z, y, x); `spacing` is in mm in that order. Without
    contour in the truth (the challenge has no such case) HD and AVD are NaN.
    """
    coarse = [at_one_mm(labels, spacing) for labels in (predicted, truth)]
    scores = {}
    for name in sorted(LABEL_CONVENTIONS["kipa"].values()):
        label = structure(name).label
        distances = _contour_distances(*(labels == label for labels in coarse))
        hd_avd = {"hd": hausdorff(distances), "avd": average_hausdorff(distances)} if distances else _NOTHING
        scores[name] = {"dice": dice(predicted == label, truth == label), **hd_avd}
    return scores


def at_one_mm(labels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Labels (z, y, x) at 1 mm by nearest neighbour, from the same first voxel, to the same extent rounded to mm."""
    for axis, mm in enumerate(spacing):
        size = labels.shape[axis]
        source = np.floor(np.arange(round(size * mm)) / mm + 0.5).astype(int)
        labels = np.take(labels, np.minimum(source, size - 1), axis=axis)
    return labels


def contour(mask: np.ndarray) -> np.ndarray:
    """The mask's voxels with one of 26 neighbours outside; beyond the array's edge counts as inside."""
    return mask & ~ndimage.binary_erosion(mask, _FULL, border_value=1)


def _contour_distances(predicted: np.ndarray, truth: np.ndarray) -> SurfaceDistances | None:
    edges, other = contour(predicted), contour(truth)
    if not other.any():
        return None
    points = [np.argwhere(line).astype(float) for line in (edges if edges.any() else _faces(predicted.shape), other)]
    return SurfaceDistances.between(*points)


def _faces(shape: tuple[int, ...]) -> np.ndarray:
    faces = np.ones(shape, bool)
    faces[1:-1, 1:-1, 1:-1] = False
    return faces
