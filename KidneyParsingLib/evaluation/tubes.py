"""Metrics of tubes by their centre lines: on a vessel three voxels wide Dice mostly measures the outline.

Centre lines are skeletons one voxel wide (Lee et al., 1994, 10.1006/cgip.1994.1042, by scikit-image), found on the
voxel grid: where voxels are not cubes they are not quite in the middle, and a voxel counts as one whatever its size.
"""

from __future__ import annotations

import math

import numpy as np

from .extras import require
from .surfaces import distances_to, surface_points

# Ours: about the width of a segmental artery, so that a branch counts as found when the prediction runs beside it.
RECALL_MM = 2.0


def skeleton(mask: np.ndarray) -> np.ndarray:
    """Boolean centre line of a mask (z, y, x). Raises InputError if scikit-image is missing."""
    require("skimage", "Centerlines")
    from skimage.morphology import skeletonize

    return skeletonize(mask).astype(bool)


def cldice(
    predicted: np.ndarray, truth: np.ndarray, predicted_skeleton: np.ndarray, truth_skeleton: np.ndarray
) -> float:
    """clDice (Shit et al., CVPR 2021, arXiv 2003.07311): overlap of either skeleton with the other mask.

    All four are boolean (z, y, x). The harmonic mean of topology precision |S_P and V_L| / |S_P| and sensitivity
    |S_L and V_P| / |S_L|; 1 where both masks are empty and 0 where one is.
    """
    if not (predicted.any() or truth.any()):
        return 1.0
    precision = _share(truth, predicted_skeleton)
    sensitivity = _share(predicted, truth_skeleton)
    return 2 * precision * sensitivity / (precision + sensitivity) if precision + sensitivity else 0.0


def centerline_recall(
    predicted: np.ndarray, truth_skeleton: np.ndarray, spacing: tuple[float, ...], tolerance_mm: float = RECALL_MM
) -> float:
    """Share of the voxels of the truth's skeleton that lie in the prediction or within `tolerance_mm` of a voxel of it.

    NaN where the truth is empty, 0 where only the prediction is. Distances are between voxel centres.
    """
    if not truth_skeleton.any():
        return math.nan
    outside = np.argwhere(truth_skeleton & ~predicted) * np.asarray(spacing, float)
    far = distances_to(surface_points(predicted, spacing), outside) > tolerance_mm
    return 1.0 - int(far.sum()) / int(truth_skeleton.sum())


def _share(mask: np.ndarray, line: np.ndarray) -> float:
    voxels = int(line.sum())
    return int((mask & line).sum()) / voxels if voxels else 0.0
