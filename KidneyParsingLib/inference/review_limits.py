"""Kidneys cut by the border of what was parsed, and lesions about as small as those that are dropped."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..anatomy import LESION_LABELS, ORGAN_LABELS
from ..review import ReviewPlace
from ..sentences import texts_of
from .cleanup import MIN_ML
from .review_case import KIDNEY, NAMES, WORDS, ReviewCase, bounding_window, central_voxel, components_of

_ = texts_of(__name__)

# The grid may reach up to a voxel beyond the scan, where nothing is predicted.
_BORDER_VOXELS = 2
_CUT_CM2 = 1.0
# A cut of this area is of weight 1 - 1/e.
_LARGE_CUT_CM2 = 10.0
# Lesions of this share up to this multiple of the smallest kept volume are close calls.
_CLOSE = (0.5, 2.0)


def border_places(case: ReviewCase) -> list[ReviewPlace]:
    """One place for each cut of at least 1 cm2 through a kidney."""
    organ = np.isin(case.labels, ORGAN_LABELS)
    window = bounding_window(organ, _BORDER_VOXELS)
    if not organ.any():
        return []
    points = np.argwhere(organ[window] & _near_border(case, window)) + [w.start for w in window]
    face = float(np.prod(case.spacing)) ** (2 / 3) / 100
    cuts = [points[c] for c in components_of(points, np.ones(len(points), np.uint8), connectivity=26)]
    areas = [len(cut) / _BORDER_VOXELS * face for cut in cuts]
    return [_cut(case, cut, area) for cut, area in zip(cuts, areas, strict=True) if area >= _CUT_CM2]


def _near_border(case: ReviewCase, window: tuple[slice, ...]) -> np.ndarray:
    """The voxels of a window within two voxels of the grid's border or of what was not parsed."""
    unseen = ~case.seen_at(window)
    pairs = list(zip(window, case.labels.shape, strict=True))
    rim = [(int(w.start == 0), int(w.stop == n)) for w, n in pairs]
    padded = ndimage.binary_dilation(np.pad(unseen, rim, constant_values=True), iterations=_BORDER_VOXELS)
    return padded[tuple(slice(a, a + w.stop - w.start) for (a, _), (w, _) in zip(rim, pairs, strict=True))]


def _cut(case: ReviewCase, points: np.ndarray, area: float) -> ReviewPlace:
    center = central_voxel(points, np.ones(len(points)), case.spacing)
    score = 1 - np.exp(-area / _LARGE_CUT_CM2)
    reason = _("The kidney is cut here by the border of the scan or of the parsed region.")
    return case.place(KIDNEY, "border", reason, center, len(points) * case.voxel_ml, score)


def speck_places(case: ReviewCase) -> list[ReviewPlace]:
    """Lesions kept that are hardly larger than the smallest ones kept, and those dropped that are hardly smaller."""
    return [place for label in LESION_LABELS for place in _specks(case, label)]


def _specks(case: ReviewCase, label: int) -> list[ReviewPlace]:
    points = np.argwhere(np.isin(case.labels, ORGAN_LABELS))
    where = tuple(points.T)
    wanted = case.label_of_class[case.probabilities(where).argmax(0)] == label
    points = points[wanted | (case.labels[where] == label)]
    least, most = (share * MIN_ML[NAMES[label]] / case.voxel_ml for share in _CLOSE)
    lesions = components_of(points, np.ones(len(points), np.uint8), connectivity=26)
    return [_speck(case, label, points[chosen]) for chosen in lesions if least <= len(chosen) < most]


def _speck(case: ReviewCase, label: int, points: np.ndarray) -> ReviewPlace:
    kept = (case.labels[tuple(points.T)] == label).mean() > 0.5
    ml = len(points) * case.voxel_ml
    was_kept = _("A small {structure} was kept, but is hardly larger than what is dropped.")
    reason = was_kept if kept else _("A small {structure} was dropped for its size.")
    center = central_voxel(points, case.probability(label, tuple(points.T)), case.spacing)
    # A close call at best: the volume is what may be wrong with even odds.
    return case.place(label, "speck", reason.format(structure=WORDS[label]), center, ml, case.importance(label, ml / 2))
