"""Regions where the network wavers between structures, beyond what every surface shows.

Across a well-seen surface the probability of a structure falls from 1 to 0 within about two voxels, and the voxel
between is doubtful only because it holds some of both. There the doubt 1 - p is paid for by a steep slope: for a
logistic edge of scale s voxels 1 - p is at most twice s times the slope. What exceeds that is doubt about what is
there, not about where it ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..anatomy import NUM_CLASSES, ORGAN_LABELS, structure
from ..review import ReviewPlace
from ..sentences import texts_of
from .review_case import NAMES, WORDS, ReviewCase, beside, central_voxel, components_of, neighbourhood

_ = texts_of(__name__)

# From this doubt on, 1 - p(label), a voxel is looked at.
_DOUBT = 0.25
# Doubt that a slope of one per voxel explains: twice the scale of the widest edge that is taken for well seen.
_PAID_BY_SLOPE = 1.25
_EXCESS = 0.15
# A label that the clean-up chose against the network by more than this is no doubt of the network's.
_OVERRULED = 0.2
_MIN_ML = 0.1
# Larger regions are cut into cells of about this radius, so that each is one look.
_CELL_MM = 20.0
# Of two structures in question, the one that matters more.
_RANK = ("kidney", "ureter", "vein", "artery", "cyst", "tumor")
_ONE = {
    "kidney": _("a kidney"),
    "tumor": _("a tumor"),
    "cyst": _("a cyst"),
    "artery": _("an artery"),
    "vein": _("a vein"),
    "ureter": _("a ureter"),
}
_SLAB = 8


@dataclass(frozen=True)
class _Voxels:
    """Doubtful voxels: indices (n, 3), the doubt that no slope explains, the structure in question, and
    p(its label is wrong there)."""

    points: np.ndarray
    unexplained: np.ndarray
    question: np.ndarray
    change: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> _Voxels:
        return _Voxels(self.points[chosen], self.unexplained[chosen], self.question[chosen], self.change[chosen])


def uncertain_places(case: ReviewCase) -> list[ReviewPlace]:
    """One place for each region, or cell of a large region, of 0.1 ml in expectation or more."""
    voxels = _vague_voxels(case)
    regions = [voxels[chosen] for chosen in components_of(voxels.points, voxels.question, connectivity=6)]
    regions = [region for region in regions if _ml(region, case) >= _MIN_ML and _is_plausible(region, case)]
    cells = [cell for region in regions for cell in _cells(region, case)]
    return [_place(cell, case) for cell in cells if _ml(cell, case) >= _MIN_ML]


def _is_plausible(region: _Voxels, case: ReviewCase) -> bool:
    """Whether the region touches what was found: kidney with its lesions if it may be that, else anything."""
    around = case.labels[neighbourhood(region.points, case.labels.shape)]
    wanted = np.isin(around, ORGAN_LABELS) if region.question[0] in ORGAN_LABELS else around > 0
    return bool(wanted.any())


def _ml(voxels: _Voxels, case: ReviewCase) -> float:
    return float(voxels.change.sum()) * case.voxel_ml


def _vague_voxels(case: ReviewCase) -> _Voxels:
    points = _doubtful(case)
    p = case.probabilities(tuple(points.T))
    column = np.arange(len(points))
    label = case.labels[tuple(points.T)]
    class_of = np.zeros(NUM_CLASSES, np.intp)
    class_of[case.label_of_class] = np.arange(len(case.classes))
    own = class_of[label]
    sure = p[own, column]
    others = p.copy()
    others[own, column] = -1
    other = others.argmax(0)
    slope = np.maximum(_slope(case, own, points), _slope(case, other, points))
    unexplained = 1 - sure - _PAID_BY_SLOPE * slope
    vague = (unexplained > _EXCESS) & (others.max(0) - sure < _OVERRULED)
    question = _in_question(label, case.label_of_class[other])
    asked = p[class_of[question], column]
    chosen = _with_neighbours(points, question, vague, case.labels.shape)
    change = np.where(question == label, 1 - asked, asked)
    return _Voxels(points, np.maximum(unexplained, 0), question, change)[chosen]


def _with_neighbours(points: np.ndarray, question: np.ndarray, vague: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`vague` grown by one voxel of the same question: a vague region's own edge is steep, yet belongs to it."""
    painted = np.zeros(shape, np.uint8)
    painted[tuple(points[vague].T)] = question[vague]
    return beside(painted, points, question)


def _doubtful(case: ReviewCase) -> np.ndarray:
    """Indices (n, 3) of the voxels whose best class is not likely enough."""
    found = []
    for start in range(0, case.labels.shape[0], _SLAB):
        slab = (slice(start, start + _SLAB), slice(None), slice(None))
        best = case.probabilities(slab).max(0)
        found.append(np.argwhere((best < 1 - _DOUBT) & (best > 0)) + (start, 0, 0))
    return np.concatenate(found)


def _slope(case: ReviewCase, classes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Length of the gradient, per voxel, of each point's class map (central differences)."""
    squares = np.zeros(len(points), np.float32)
    for axis, n in enumerate(case.labels.shape):
        ends = np.repeat(points[None], 2, 0)
        ends[0, :, axis] = np.maximum(points[:, axis] - 1, 0)
        ends[1, :, axis] = np.minimum(points[:, axis] + 1, n - 1)
        low, high = (_one_class(case, classes, end) for end in ends)
        squares += ((high - low) / np.maximum(ends[1, :, axis] - ends[0, :, axis], 1)) ** 2
    return np.sqrt(squares)


def _one_class(case: ReviewCase, classes: np.ndarray, points: np.ndarray) -> np.ndarray:
    if case.nested:
        return case.probabilities(tuple(points.T))[classes, np.arange(len(points))]
    return case.maps[(classes, *points.T)].astype(np.float32)


def _in_question(label: np.ndarray, other: np.ndarray) -> np.ndarray:
    rank = np.zeros(NUM_CLASSES, np.uint8)
    rank[[structure(name).label for name in _RANK]] = np.arange(1, NUM_CLASSES)
    return np.where(rank[label] > rank[other], label, other)


def _cells(region: _Voxels, case: ReviewCase) -> list[_Voxels]:
    """The region, cut around points that lie at least a cell's radius from each other if it is larger than that."""
    mm = region.points * np.asarray(case.spacing)
    seeds = [central_voxel(region.points, region.unexplained, case.spacing) * np.asarray(case.spacing)]
    away = np.linalg.norm(mm - seeds[0], axis=1)
    while away.max() > _CELL_MM:
        seeds.append(mm[away.argmax()])
        away = np.minimum(away, np.linalg.norm(mm - seeds[-1], axis=1))
    if len(seeds) == 1:
        return [region]
    nearest = cKDTree(seeds).query(mm)[1]
    return [region[nearest == seed] for seed in range(len(seeds))]


def _place(cell: _Voxels, case: ReviewCase) -> ReviewPlace:
    label, ml = int(cell.question[0]), _ml(cell, case)
    center = central_voxel(cell.points, cell.unexplained, case.spacing)
    return case.place(label, "uncertain", _reason(cell, case), center, ml, case.importance(label, ml))


def _reason(cell: _Voxels, case: ReviewCase) -> str:
    label = cell.question[0]
    own = case.labels[tuple(cell.points.T)] == label
    if cell.change[own].sum() > cell.change[~own].sum():
        return _("This may not be {structure}.").format(structure=WORDS[label])
    goes_on = (case.labels[neighbourhood(cell.points, case.labels.shape)] == label).any()
    if goes_on:
        return _("The {structure} may go on here.").format(structure=WORDS[label])
    return _("There may be {structure} here.").format(structure=_ONE[NAMES[label]])
