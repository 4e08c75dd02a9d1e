"""The few places of a result that are worth a look, ranked by how much they could change it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..review import ReviewPlace
from .review_case import ReviewCase
from .review_limits import border_places, speck_places
from .review_regions import uncertain_places
from .review_surfaces import surface_places
from .review_tubes import tube_places

# Places of one structure that are nearer to each other are one look.
_MERGED_MM = 10.0


def review_places(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    spacing: tuple[float, float, float],
    affine: np.ndarray,
    boundary: np.ndarray | None = None,
    most: int = 20,
    seen: np.ndarray | None = None,
    wanted: tuple[str, ...] | None = None,
) -> tuple[ReviewPlace, ...]:
    """The `most` places where a prediction is most likely to be wrong and where that matters, most important first.

    `probabilities` (C, z, y, x) are softmax maps of `classes`, float32 or float16, or nested maps (2, z, y, x) of
    (kidney or tumor) and (tumor). `labels` (z, y, x) are the structure labels after the whole clean-up (specks that are
    dropped would make gaps), `spacing` (z, y, x) is in mm and `affine` maps index (x, y, z) to LPS mm, all on one grid.
    `boundary` (z, y, x) is a network's probability of any surface. `seen` (z, y, x; bool) is where there are
    predictions; without it, where the maps are not all 0. Only places of the structures in `wanted` count (None: all).

    What a place is and how places are ranked: docs/review.md.
    """
    case = ReviewCase(probabilities, labels, classes, spacing, affine, boundary, seen)
    searches = (uncertain_places, surface_places, tube_places, border_places, speck_places)
    found = [p for search in searches for p in search(case) if wanted is None or p.structure in wanted]
    return tuple(_merged(sorted(found, key=_rank))[:most])


def _rank(place: ReviewPlace) -> tuple:
    return -place.score, -place.ml, place.structure, place.kind, place.center_ras


def _merged(places: list[ReviewPlace]) -> list[ReviewPlace]:
    """Ranked places, those within 10 mm of a higher one of the same structure taken into it."""
    kept: list[ReviewPlace] = []
    for place in places:
        near = [i for i, other in enumerate(kept) if _are_one(place, other)]
        if near:
            kept[near[0]] = _joined(kept[near[0]], place)
        else:
            kept.append(place)
    return sorted(kept, key=_rank)


def _are_one(place: ReviewPlace, other: ReviewPlace) -> bool:
    apart = np.subtract(place.center_ras, other.center_ras)
    return place.structure == other.structure and float(np.linalg.norm(apart)) < _MERGED_MM


def _joined(place: ReviewPlace, lower: ReviewPlace) -> ReviewPlace:
    """Uncertain volumes add up, and so do their weights; else the same voxels may be in question."""
    if (place.kind, lower.kind) != ("uncertain", "uncertain"):
        return replace(place, ml=max(place.ml, lower.ml))
    score = 1 - (1 - place.score) * (1 - lower.score)
    return replace(place, ml=round(place.ml + lower.ml, 3), score=round(score, 4))
