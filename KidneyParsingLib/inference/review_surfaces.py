"""Surfaces that a network's boundary decoder sees where its segmentation decoder finds nothing.

Only in the background, and only where the next likely structure is kidney, artery or vein: elsewhere such surfaces led
to errors no better than chance (docs/review.md).
"""

from __future__ import annotations

import numpy as np

from ..anatomy import structure
from ..review import ReviewPlace
from ..sentences import texts_of
from .review_case import ReviewCase, beside, bounding_window, central_voxel, components_of

_ = texts_of(__name__)

_TRUSTED = tuple(structure(name).label for name in ("kidney", "artery", "vein"))
_SURFACE_P = 0.5
_MIN_ML = 0.1
# Further from everything that was found, a surface is one of other organs.
_NEAR_MM = 8.0
# Such a surface leads to an error less often than a doubt of the segmentation does.
_TRUST = 0.5


def surface_places(case: ReviewCase) -> list[ReviewPlace]:
    """One place for each unexplained surface of at least 0.1 ml near what was found."""
    if case.boundary is None:
        return []
    points = _unexplained(case)
    places = []
    for chosen in components_of(points, np.ones(len(points), np.uint8), connectivity=26):
        region = points[chosen]
        if len(region) * case.voxel_ml >= _MIN_ML and _is_near(case, region):
            places.append(_place(case, region))
    return places


def _unexplained(case: ReviewCase) -> np.ndarray:
    """Voxels (n, 3) of a likely boundary in background that the network itself chose, beside no label's surface."""
    window = bounding_window(case.labels > 0, int(np.ceil(_NEAR_MM / min(case.spacing))))
    likely = (case.boundary[window] > _SURFACE_P) & (case.labels[window] == 0)
    points = np.argwhere(likely) + [w.start for w in window]
    points = points[~beside(case.labels > 0, points, np.ones(len(points), bool))]
    p = case.probabilities(tuple(points.T))
    next_best = case.label_of_class[1:][p[1:].argmax(0)]
    return points[(p.argmax(0) == 0) & np.isin(next_best, _TRUSTED)]


def _is_near(case: ReviewCase, region: np.ndarray) -> bool:
    reach = np.ceil(_NEAR_MM / np.asarray(case.spacing)).astype(int)
    low, high = np.maximum(region.min(0) - reach, 0), region.max(0) + reach + 1
    return bool(case.labels[tuple(map(slice, low, high))].any())


def _place(case: ReviewCase, region: np.ndarray) -> ReviewPlace:
    where = tuple(region.T)
    label = int(case.label_of_class[1:][case.probabilities(where)[1:].mean(1).argmax()])
    weight = case.boundary[where].astype(np.float32)
    ml = float(weight.sum()) * case.voxel_ml
    center = central_voxel(region, weight, case.spacing)
    reason = _("A surface is seen here, but no structure was found.")
    return case.place(label, "surface", reason, center, ml, _TRUST * case.importance(label, ml))
