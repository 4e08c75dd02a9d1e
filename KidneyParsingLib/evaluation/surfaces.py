"""Distances between the surfaces of two masks, taken over surface voxels: HD, HD95, AVD.

A mask's *surface voxels* are those with one of the 6 neighbours outside it; beyond the array's edge is outside. That is
MONAI's and MedPy's definition. DeepMind's package `surface-distance` weights surface elements by their area instead and
places them half a voxel off (`surface_elements`, which KiTS's surface Dice needs): its HD differs by up to a voxel's
diagonal.

Where neither mask has a voxel there is no distance: NaN. Where one has none it is infinite. Means skip both
(`report.summary`), and say how many they skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree


@dataclass(frozen=True)
class SurfaceDistances:
    """mm from every point of the predicted surface to the nearest of the truth's, and the other way round."""

    to_truth: np.ndarray
    to_predicted: np.ndarray

    @classmethod
    def between(cls, predicted: np.ndarray, truth: np.ndarray) -> SurfaceDistances:
        """Of two sets of points, (n, 3) and (m, 3) in mm; infinite to an empty set."""
        return cls(distances_to(truth, predicted), distances_to(predicted, truth))


def distances_to(targets: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance (n,) of every point of (n, 3) to the nearest target of (m, 3); infinite if there is none."""
    if not (len(targets) and len(points)):
        return np.full(len(points), math.inf)
    return KDTree(targets).query(points)[0]


def surface_points(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Centres (n, 3), in mm from the array's corner voxel, of the surface voxels of a mask (z, y, x)."""
    return np.argwhere(mask & ~ndimage.binary_erosion(mask)) * np.asarray(spacing, float)


def hausdorff(distances: SurfaceDistances) -> float:
    """Hausdorff distance, mm: the larger of the two directed maxima."""
    return max(_each_way(distances, np.max))


def hausdorff_95(distances: SurfaceDistances) -> float:
    """95 % Hausdorff distance, mm: the larger of the two directed 95th percentiles over surface voxels.

    As MONAI has it; MedPy pools both directions before it takes the percentile, and `surface-distance` weights by area.
    The percentile interpolates linearly between voxels.
    """
    return max(_each_way(distances, lambda values: np.percentile(values, 95)))


def average_hausdorff(distances: SurfaceDistances) -> float:
    """Average Hausdorff distance (KiPA22's AVD), mm: the mean of the two directed means over surface voxels.

    KiPA22 (https://kipa22.grand-challenge.org/evaluation-details/) takes ITK's average Hausdorff distance, which is
    this mean of two means, not the mean over all voxels of both (ASSD). On which grid it does so: see `kipa`.
    """
    return sum(_each_way(distances, np.mean)) / 2


def _each_way(distances: SurfaceDistances, summary: Callable[[np.ndarray], float]) -> tuple[float, float]:
    """The summary of either direction; NaN where both surfaces are empty, infinite where one is."""
    ways = (distances.to_truth, distances.to_predicted)
    if all(way.size for way in ways):
        return float(summary(ways[0])), float(summary(ways[1]))
    nothing = math.inf if any(way.size for way in ways) else math.nan
    return nothing, nothing
