"""Whether vessels and ureters hang together: gaps between parts, doubtful necks, ends in the middle of nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import cc3d
import numpy as np
from scipy.spatial import cKDTree

from ..anatomy import ORGAN_LABELS, TUBE_LABELS, structure
from ..review import ReviewPlace
from ..sentences import texts_of
from .review_case import WORDS, ReviewCase, central_voxel, components_of, neighbourhood

_ = texts_of(__name__)

# Parts further from each other than this are not two ends of one break.
_GAP_MM = 20.0
# Least probability of the tube at the weakest link between two ends.
_BRIDGE_P = 0.1
# How far from that line voxels count as the gap's.
_GAP_RADIUS_MM = 4.0
# Tube voxels below this are doubtful: where they alone join two parts, they are a neck.
_NECK_P = 0.6
_NECK_PART_ML = 0.1
# A part that is shorter has no ends; an end nearer than this to an organ, to another part or to the border is no end.
_END_LENGTH_MM = 15.0
_ORGAN_MM = 10.0
_BORDER_MM = 6.0
# Loose ends are often right (branches leave the field): they rank low.
_END_SCORE = 0.05
# A part of this share of its tube, or of this many ml of a small tube, is worth half of what the largest part is.
_HALF_SHARE = 0.02
_HALF_ML = 0.2
_URETER = structure("ureter").label


@dataclass(frozen=True)
class _Part:
    """A connected part of a tube: its label, voxels (n, 3) and their positions in mm (z, y, x)."""

    label: int
    points: np.ndarray
    mm: np.ndarray


def tube_places(case: ReviewCase) -> list[ReviewPlace]:
    """Gaps, necks and loose ends of every tube."""
    parts = _parts(case)
    return [*_gaps(case, parts), *_necks(case), *_ends(case, parts)]


def _weight(case: ReviewCase, label: int, voxels: int) -> float:
    """How much of its tube a part is, 0..1, with small parts far from 0: a renal artery is a fraction of an aorta."""
    ml = voxels * case.voxel_ml
    return ml / (ml + _HALF_SHARE * float(case.structure_ml[label]) + _HALF_ML)


def _parts(case: ReviewCase) -> list[_Part]:
    tubes = _tubes(case)
    points = np.argwhere(tubes)
    label = tubes[tuple(points.T)]
    groups = [(int(label[chosen[0]]), points[chosen]) for chosen in components_of(points, label, connectivity=26)]
    return [_Part(label, voxels, voxels * np.asarray(case.spacing)) for label, voxels in groups]


def _tubes(case: ReviewCase) -> np.ndarray:
    lookup = np.zeros(256, np.uint8)
    lookup[list(TUBE_LABELS)] = TUBE_LABELS
    return lookup[case.labels]


def _gaps(case: ReviewCase, parts: list[_Part]) -> list[ReviewPlace]:
    """The shortest likely bridges that join the parts of each tube, no two of which join the same parts."""
    home = list(range(len(parts)))
    places = []
    for length, i, j, a, b in _bridges(parts):
        if home[i] == home[j]:
            continue
        place = _gap(case, parts[i], parts[j], a, b, length)
        if place is not None:
            places.append(place)
            home = [home[i] if h == home[j] else h for h in home]
    return places


def _bridges(parts: list[_Part]) -> list[tuple[float, int, int, np.ndarray, np.ndarray]]:
    """Length in mm, the two parts' numbers and the ends (z, y, x in mm) of bridges, by rising length."""
    found = []
    trees = [cKDTree(part.mm) for part in parts]
    for i, j in combinations(range(len(parts)), 2):
        if parts[i].label != parts[j].label:
            continue
        small, large = sorted((i, j), key=lambda k: len(parts[k].mm))
        lengths, nearest = trees[large].query(parts[small].mm, distance_upper_bound=_GAP_MM)
        end = int(lengths.argmin())
        if np.isfinite(lengths[end]):
            found.append((float(lengths[end]), small, large, parts[small].mm[end], parts[large].mm[nearest[end]]))
    return sorted(found, key=lambda bridge: bridge[:3])


def _gap(
    case: ReviewCase, small: _Part, large: _Part, a: np.ndarray, b: np.ndarray, length: float
) -> ReviewPlace | None:
    points = _around_line(case, a, b)
    points = points[case.labels[tuple(points.T)] != small.label]
    p = case.probability(small.label, tuple(points.T))
    along = _along_line(case, small.label, a, b)
    if not len(points) or along < _BRIDGE_P or not p.any():
        return None
    score = min(1.0, 2 * along) * _weight(case, small.label, len(small.points))
    text = _("The {structure} may go on here: two parts end {mm:.0f} mm apart.")
    reason = text.format(structure=WORDS[small.label], mm=length)
    ml = len(small.points) * case.voxel_ml
    return case.place(small.label, "gap", reason, central_voxel(points, p, case.spacing), ml, score)


def _around_line(case: ReviewCase, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Voxels (n, 3) near the line between two points (mm) and between its ends."""
    spacing = np.asarray(case.spacing)
    low = np.maximum(np.floor((np.minimum(a, b) - _GAP_RADIUS_MM) / spacing), 0).astype(int)
    high = np.minimum(np.ceil((np.maximum(a, b) + _GAP_RADIUS_MM) / spacing) + 1, case.labels.shape).astype(int)
    points = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), -1).reshape(-1, 3)
    line = b - a
    share = (points * spacing - a) @ line / (line @ line)
    off = np.linalg.norm(points * spacing - a - np.clip(share, 0, 1)[:, None] * line, axis=1)
    return points[(off <= _GAP_RADIUS_MM) & (share > 0) & (share < 1)]


def _along_line(case: ReviewCase, label: int, a: np.ndarray, b: np.ndarray) -> float:
    """The weakest link between two points (mm): least probability of a tube along the line, each voxel having the
    best of its neighbourhood."""
    steps = max(2, int(2 * np.abs((b - a) / case.spacing).max()))
    line = np.round((a + np.linspace(0, 1, steps + 1)[:, None] * (b - a)) / case.spacing).astype(int)
    line = np.unique(line, axis=0)
    line = line[case.labels[tuple(line.T)] != label]
    if not len(line):
        return 1.0
    around = neighbourhood(line, case.labels.shape)
    p = np.where(case.labels[around] == label, 0, case.probability(label, around))
    return float(p.max(1).min())


def _necks(case: ReviewCase) -> list[ReviewPlace]:
    """Doubtful stretches that join two parts of a tube which are sure; one for each two parts, the largest."""
    tubes = _tubes(case)
    points = np.argwhere(tubes)
    doubtful = np.zeros(len(points), bool)
    for label in TUBE_LABELS:
        chosen = np.flatnonzero(tubes[tuple(points.T)] == label)
        doubtful[chosen] = case.probability(label, tuple(points[chosen].T)) < _NECK_P
    if not doubtful.any():
        return []
    loose = np.zeros_like(tubes)
    loose[tuple(points[doubtful].T)] = tubes[tuple(points[doubtful].T)]
    tubes[loose > 0] = 0
    sure = cc3d.connected_components(tubes, connectivity=26)
    bridges = cc3d.connected_components(loose, connectivity=26)
    return _joining(case, sure, bridges, points[doubtful])


def _joining(case: ReviewCase, sure: np.ndarray, bridges: np.ndarray, points: np.ndarray) -> list[ReviewPlace]:
    voxels = np.bincount(sure[sure > 0])
    bridge = bridges[tuple(points.T)]
    label = case.labels[tuple(points.T)]
    places, joined = [], set()
    for number in np.argsort(-np.bincount(bridge), kind="stable"):
        mine = points[bridge == number]
        if len(mine) == 0:
            continue
        kind = int(label[bridge == number][0])
        parts = [p for p in _touched(case, sure, mine, kind) if voxels[p] * case.voxel_ml >= _NECK_PART_ML]
        parts.sort(key=lambda p: -voxels[p])
        if len(parts) > 1 and tuple(parts[:2]) not in joined:
            joined.add(tuple(parts[:2]))
            places.append(_neck(case, kind, mine, int(voxels[parts[1]])))
    return places


def _touched(case: ReviewCase, sure: np.ndarray, points: np.ndarray, label: int) -> list[int]:
    """The sure parts of the same tube beside some voxels."""
    around = neighbourhood(points, sure.shape)
    return [int(part) for part in np.unique(sure[around][case.labels[around] == label]) if part]


def _neck(case: ReviewCase, label: int, points: np.ndarray, voxels: int) -> ReviewPlace:
    doubt = 1 - case.probability(label, tuple(points.T))
    score = min(1.0, float(doubt.mean())) * _weight(case, label, voxels)
    reason = _("The {structure} hangs together here by a doubtful stretch.").format(structure=WORDS[label])
    ml = voxels * case.voxel_ml
    return case.place(label, "neck", reason, central_voxel(points, doubt, case.spacing), ml, score)


def _ends(case: ReviewCase, parts: list[_Part]) -> list[ReviewPlace]:
    """Ends of ureters, and of vessels' parts other than the trunks, that lie far from organs, other parts and the
    border."""
    organ = np.argwhere(np.isin(case.labels, ORGAN_LABELS)) * np.asarray(case.spacing)
    trunks = [_largest([p for p in parts if p.label == label]) for label in TUBE_LABELS if label != _URETER]
    places = []
    for part in parts:
        if any(part is trunk for trunk in trunks):
            continue
        near = [organ, *(p.mm for p in parts if p is not part and p.label == part.label)]
        places += [_end(case, part, end) for end in _ends_of(part) if _is_loose(case, part, end, near)]
    return places


def _largest(parts: list[_Part]) -> _Part | None:
    return max(parts, key=lambda part: len(part.points), default=None)


def _ends_of(part: _Part) -> tuple[int, ...]:
    """The two voxels of a part that lie far apart, none if it is short."""
    first = int(np.linalg.norm(part.mm - part.mm.mean(0), axis=1).argmax())
    away = np.linalg.norm(part.mm - part.mm[first], axis=1)
    return (first, int(away.argmax())) if away.max() >= _END_LENGTH_MM else ()


def _is_loose(case: ReviewCase, part: _Part, end: int, near: list[np.ndarray]) -> bool:
    """Whether an end lies far from other positions (n, 3; mm) and from the border."""
    here = part.mm[end]
    return _inside(case, part.points[end]) and all(
        ((other - here) ** 2).sum(1).min() > _ORGAN_MM**2 for other in near if len(other)
    )


def _inside(case: ReviewCase, point: np.ndarray) -> bool:
    """Whether a voxel is well within what was parsed."""
    reach = np.ceil(_BORDER_MM / np.asarray(case.spacing)).astype(int)
    low, high = point - reach, point + reach + 1
    if (low < 0).any() or (high > case.labels.shape).any():
        return False
    return bool(case.seen_at(tuple(map(slice, low, high))).all())


def _end(case: ReviewCase, part: _Part, end: int) -> ReviewPlace:
    ml = len(part.points) * case.voxel_ml
    score = _END_SCORE * (1 + _weight(case, part.label, len(part.points)))
    reason = _("The {structure} ends here, away from any organ.").format(structure=WORDS[part.label])
    return case.place(part.label, "end", reason, part.points[end], ml, score)
