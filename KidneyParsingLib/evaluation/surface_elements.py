"""Surface Dice: the share of two surfaces that lies within a tolerance of the other one, by area.

Surface elements are the pieces of surface between eight voxel centres, weighted by area (Nikolov et al., 2018,
arXiv 1809.04430; DeepMind's package `surface-distance`), as KiTS21 and KiTS23 score it. An element's place is the
middle of its eight voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .element_areas import CORNERS, element_areas
from .surfaces import SurfaceDistances

_INSIDE = 255
# So that a distance that equals the tolerance is within it, whatever its last digit.
_ROUNDING_MM = 1e-6


@dataclass(frozen=True)
class ElementDistances:
    """Distances between two surfaces' elements, and the elements' areas in mm2 in the same order."""

    distances: SurfaceDistances
    predicted_areas: np.ndarray
    truth_areas: np.ndarray

    @classmethod
    def between(cls, predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]) -> ElementDistances:
        """Of two masks (z, y, x); `spacing` in mm in that order."""
        areas = element_areas(spacing)
        (points, codes), (other_points, other_codes) = (_elements(mask, spacing) for mask in (predicted, truth))
        return cls(SurfaceDistances.between(points, other_points), areas[codes], areas[other_codes])


def surface_dice(elements: ElementDistances, tolerance_mm: float) -> float:
    """Normalised surface Dice: the area of both surfaces within `tolerance_mm` of the other one over their whole area.

    1 where both masks are empty and 0 where one is, as KiTS has it.
    """
    limit = tolerance_mm + _ROUNDING_MM
    sides = (
        (elements.predicted_areas, elements.distances.to_truth),
        (elements.truth_areas, elements.distances.to_predicted),
    )
    total = sum(float(areas.sum()) for areas, _ in sides)
    return sum(float(areas[way <= limit].sum()) for areas, way in sides) / total if total else 1.0


def _elements(mask: np.ndarray, spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, 3) in mm, up to a shift that all masks of this shape share, and codes (n,) of the surface elements."""
    padded = np.pad(mask, 1).view(np.uint8)
    codes = np.zeros([size - 1 for size in padded.shape], np.uint8)
    for bit, corner in enumerate(CORNERS):
        window = tuple(slice(start, start + size) for start, size in zip(corner, codes.shape, strict=True))
        codes |= padded[window] << np.uint8(bit)
    places = np.argwhere((codes != 0) & (codes != _INSIDE))
    return places * np.asarray(spacing, float), codes[tuple(places.T)]
