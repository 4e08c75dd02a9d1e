"""Prediction and truth of one structure, cropped to what they hold, with what several metrics need made once."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .surface_elements import ElementDistances
from .surfaces import SurfaceDistances, surface_points
from .tubes import skeleton


class MaskPair:
    """Two boolean arrays (z, y, x) on one grid and its spacing (z, y, x) in mm: what every metric is taken of.

    `predicted` and `truth` are kept cropped to the box around both. A mask that meets the edge of the arrays given ends
    there, with a surface. Raises ValueError if shapes differ or a spacing is not positive.
    """

    def __init__(self, predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]) -> None:
        self.spacing = tuple(float(mm) for mm in spacing)
        if predicted.shape != truth.shape or len(self.spacing) != predicted.ndim or min(self.spacing) <= 0:
            raise ValueError(f"masks {predicted.shape}, {truth.shape} with spacing {self.spacing} make no pair")
        window = bounding_window(predicted.astype(bool, copy=False) | truth.astype(bool, copy=False))
        self.predicted, self.truth = (np.ascontiguousarray(mask[window], bool) for mask in (predicted, truth))

    @cached_property
    def surfaces(self) -> SurfaceDistances:
        """Distances between surface voxels."""
        points = [surface_points(mask, self.spacing) for mask in (self.predicted, self.truth)]
        return SurfaceDistances.between(*points)

    @cached_property
    def elements(self) -> ElementDistances:
        """Distances between surface elements, and their areas."""
        return ElementDistances.between(self.predicted, self.truth, self.spacing)

    @cached_property
    def predicted_skeleton(self) -> np.ndarray:
        """Centre line of the prediction."""
        return skeleton(self.predicted)

    @cached_property
    def truth_skeleton(self) -> np.ndarray:
        """Centre line of the truth."""
        return skeleton(self.truth)


def bounding_window(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box around a mask's voxels, as slices; empty slices if it has none."""
    axes = range(mask.ndim)
    found = [np.flatnonzero(mask.any(axis=tuple(a for a in axes if a != axis))) for axis in axes]
    return tuple(slice(where[0], where[-1] + 1) if where.size else slice(0, 0) for where in found)
