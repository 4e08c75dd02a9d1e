"""Where the kidneys are: the locator network on the whole CT at 4 mm, its components, their sides."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import cc3d
import numpy as np

from ..anatomy import LEFT, RIGHT
from ..networks.configs import LOCATOR_CLASSES
from ..sentences import texts_of
from .grid import Box, Grid

_ = texts_of(__name__)

# Smallest evidence for a kidney after erosion by one voxel, which takes about half of a small kidney.
MIN_CORE_ML = 5.0
_THRESHOLDS = (0.5, 0.8, 0.95)
# A quarter of a kidney at least is parenchyma, 25 HU or more even without contrast; water and ascites are not.
MIN_KIDNEY_HU = 20.0
# Kidneys lie at about the same level, the right one a little lower.
_USUAL_LEVEL_MM = 50.0
_LEVEL_PRICE_ML_PER_MM = 2.0
_FULL_EVIDENCE_ML = 120.0
# Kidneys' centres lie about this far below the middle of liver and spleen; further off than the second number costs,
# but not so much that a kidney in the pelvis would not be taken where there is no other.
_BELOW_LIVER_MM = 40.0
_LEVEL_FREE_MM = 100.0
_MOST_LEVEL_PRICE_ML = 80.0
_SURE_LIVER_ML = 150.0
# Evidence beyond which a kidney, even with a tumor of 12 cm, is none, and below which a pair of kidneys is none.
_LARGEST_ML = 1500.0
_SMALLEST_ML = 12.0
# A third candidate with this share of the best one's evidence is a rival.
_RIVAL_SHARE = 0.6
# A component with more than this share on its smaller side crosses the midline (horseshoe kidney) and is cut there.
CROSSING_SHARE = 0.2
# A kidney, however large its tumor, is no longer than this (x, y, z) and its centre is this far beside the spine, mm.
_MAX_EXTENT_MM = np.array([260.0, 220.0, 280.0])
_BESIDE_SPINE_MM = (15.0, 140.0)
_KIDNEY = LOCATOR_CLASSES.index("kidney")
_SPINE = LOCATOR_CLASSES.index("spine")
_NEIGHBOURS = tuple(LOCATOR_CLASSES.index(name) for name in ("liver", "spleen"))
# Liver and spleen are taken from the kidneys only where there is hardly a doubt.
_SURE = 0.9


@dataclass(frozen=True)
class Midline:
    """The patient's midline: x (LPS mm) of the spine at heights z (mm, ascending)."""

    z: np.ndarray
    x: np.ndarray

    def at(self, z: np.ndarray | float) -> np.ndarray:
        """x of the midline at heights z; constant beyond the ends."""
        return np.interp(z, self.z, self.x)


@dataclass(frozen=True)
class LocatedKidney:
    """A kidney as the locator sees it: its side, the box around it, the evidence for it in ml, and the probability at
    which it was parted from its surroundings."""

    side: str
    box: Box
    ml: float
    threshold: float = _THRESHOLDS[0]


@dataclass(frozen=True)
class Location:
    """What the locator found: kidneys, the midline, and where on its `grid` (z, y, x) other organs are for sure.
    `doubt` is a sentence on why the kidneys cannot be relied on, empty where they can."""

    kidneys: list[LocatedKidney]
    midline: Midline
    others: np.ndarray
    grid: Grid
    doubt: str = ""


def right_of_midline(grid: Grid, midline: Midline) -> np.ndarray:
    """Mask (z, 1, x), to be broadcast, of a grid's voxels on the patient's right of the midline."""
    z = grid.origin[2] + grid.spacing[0] * np.arange(grid.size[0])
    x = grid.origin[0] + grid.spacing[2] * np.arange(grid.size[2])
    return (x[None, :] < midline.at(z)[:, None])[:, None, :]


def location_of(scores: np.ndarray, hu: np.ndarray, grid: Grid) -> Location:
    """What the locator's scores (C, z, y, x) on its grid say; `hu` (z, y, x) is what it saw. At most one kidney a side:
    the most credible pair, or single one, of the plausible components."""
    midline = find_midline(scores.argmax(0), hu, grid)
    candidates = _candidates(scores, hu, grid, midline)
    kidneys = _most_credible(candidates, _usual_level(scores.argmax(0), grid))
    return Location(kidneys, midline, other_organs(scores), grid, doubt_about(kidneys, candidates))


def find_midline(labels: np.ndarray, hu: np.ndarray, grid: Grid) -> Midline:
    """The spine's centre line, smoothed over 80 mm; the middle of the body where no spine is seen."""
    mask = labels == _SPINE
    heights = np.flatnonzero(mask.sum((1, 2)) >= 4)
    if len(heights) < 3:
        mask = hu > -300
        heights = np.flatnonzero(mask.any((1, 2)))
    if not len(heights):
        return Midline(np.zeros(1), np.array([grid.origin[0] + grid.spacing[2] * grid.size[2] / 2]))
    columns = np.arange(mask.shape[2])
    center = np.array([(mask[z].sum(0) * columns).sum() / mask[z].sum() for z in heights])
    span = max(1, min(len(center), round(80 / grid.spacing[0])) // 2 * 2 - 1)
    smooth = np.convolve(np.pad(center, span // 2, mode="edge"), np.ones(span) / span, mode="valid")
    return Midline(grid.origin[2] + grid.spacing[0] * heights, grid.origin[0] + grid.spacing[2] * smooth)


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Softmax of scores (C, z, y, x)."""
    exponent = np.exp(scores - scores.max(0))
    return exponent / exponent.sum(0)


def other_organs(scores: np.ndarray) -> np.ndarray:
    """Where (z, y, x; float32 0 or 1, to be interpolated) the locator's grid surely shows liver or spleen, a voxel
    inside their surface, from its scores (C, z, y, x)."""
    neighbours = probabilities(scores)[list(_NEIGHBOURS)].sum(0)
    return eroded(neighbours > _SURE).astype(np.float32)


def eroded(mask: np.ndarray) -> np.ndarray:
    """A mask (z, y, x) without the voxels that have one of their six neighbours outside it or beyond the border; but
    beyond the first and last slice organs go on, as scans end within them.

    scipy's would do; importing it costs every run a fifth of a second.
    """
    middle = (slice(1, -1),) * 3
    longer = np.concatenate([mask[:1], mask, mask[-1:]])
    core = np.zeros(mask.shape, bool)
    inner = core[:, 1:-1, 1:-1]
    inner[:] = longer[middle]
    for axis in range(3):
        for neighbour in (slice(None, -2), slice(2, None)):
            inner &= longer[(*middle[:axis], neighbour, *middle[axis + 1 :])]
    return core


def doubt_about(kidneys: list[LocatedKidney], candidates: list[LocatedKidney]) -> str:
    """Why the chosen kidneys cannot be relied on, given all candidates; empty where they can.

    None was found; one is too large or all are too small for a kidney; or a further candidate is as good as those
    chosen.
    """
    if not kidneys:
        return _("no kidney was located")
    if max(k.ml for k in kidneys) > _LARGEST_ML or max(k.ml for k in kidneys) < _SMALLEST_ML:
        return _("the located kidneys have an unlikely size")
    rivals = [c for c in candidates if c.threshold == _THRESHOLDS[-1] and not any(_meet(c.box, k.box) for k in kidneys)]
    if any(rival.ml >= max(_RIVAL_SHARE * max(k.ml for k in kidneys), _SMALLEST_ML) for rival in rivals):
        return _("more than two kidneys were located")
    return ""


def _meet(first: Box, second: Box) -> bool:
    return bool((np.maximum(first.low, second.low) < np.minimum(first.high, second.high)).all())


def _candidates(scores: np.ndarray, hu: np.ndarray, grid: Grid, midline: Midline) -> list[LocatedKidney]:
    """All that could be a kidney. One that touches something alike (spleen, bowel with contrast) makes a component too
    large to be one; so components are parted by erosion, and looked for at several thresholds."""
    probability = probabilities(scores)[_KIDNEY]
    return [k for threshold in _THRESHOLDS for k in _components(probability, threshold, hu, grid, midline)]


def _most_credible(candidates: list[LocatedKidney], level: float | None) -> list[LocatedKidney]:
    sides = [[None, *(k for k in candidates if k.side == side)] for side in (RIGHT, LEFT)]
    pair = max(product(*sides), key=lambda pair: _credibility(pair, level))
    return [kidney for kidney in pair if kidney is not None]


def _usual_level(labels: np.ndarray, grid: Grid) -> float | None:
    """The height (LPS mm) at which kidneys usually lie, below the middle of liver and spleen; None where these are
    hardly seen."""
    slices = np.isin(labels, _NEIGHBOURS).sum((1, 2))
    if slices.sum() * np.prod(grid.spacing) < _SURE_LIVER_ML * 1000:
        return None
    return float(
        grid.origin[2] + grid.spacing[0] * np.average(np.arange(len(slices)), weights=slices) - _BELOW_LIVER_MM
    )


def _credibility(pair: tuple[LocatedKidney | None, LocatedKidney | None], level: float | None) -> float:
    """Evidence in ml, up to that of a usual kidney each, less a price for kidneys far from the usual level and at
    different ones."""
    evidence = sum(min(kidney.ml, _FULL_EVIDENCE_ML) - _level_price(kidney, level) for kidney in pair if kidney)
    if None in pair:
        return evidence
    apart = abs(pair[0].box.center[2] - pair[1].box.center[2])
    return evidence - min(_LEVEL_PRICE_ML_PER_MM * max(0.0, apart - _USUAL_LEVEL_MM), _MOST_LEVEL_PRICE_ML)


def _level_price(kidney: LocatedKidney, level: float | None) -> float:
    """In ml; always less than the kidney's evidence."""
    if level is None:
        return 0.0
    off = abs(float(kidney.box.center[2]) - level) - _LEVEL_FREE_MM
    return min(max(0.0, off), _MOST_LEVEL_PRICE_ML, 0.9 * kidney.ml)


def _components(
    probability: np.ndarray, threshold: float, hu: np.ndarray, grid: Grid, midline: Midline
) -> list[LocatedKidney]:
    """The plausible components of an eroded probability map, each grown back by the erosion."""
    cores = eroded(probability > threshold)
    parts = cc3d.connected_components(cores, connectivity=6)
    evidence = np.bincount(parts.ravel(), probability.ravel()) * float(np.prod(grid.spacing)) / 1000
    found = []
    for part in np.flatnonzero(evidence[1:] >= MIN_CORE_ML) + 1:
        for mask in _halves(parts == part, grid, midline):
            box = grid.box_of(mask).grown(grid.spacing[::-1], grid.spacing[::-1])
            if _is_plausible(box, midline) and np.percentile(hu[mask], 75) >= MIN_KIDNEY_HU:
                ml = float(evidence[part] * mask.sum() / (parts == part).sum())
                side = RIGHT if box.center[0] < midline.at(box.center[2]) else LEFT
                found.append(LocatedKidney(side, box, ml, threshold))
    return found


def _halves(mask: np.ndarray, grid: Grid, midline: Midline) -> list[np.ndarray]:
    """A component cut at the midline if a good part of it lies on either side (horseshoe kidney), else as it is."""
    right = mask & right_of_midline(grid, midline)
    share = right.sum() / mask.sum()
    return [right, mask & ~right] if CROSSING_SHARE < share < 1 - CROSSING_SHARE else [mask]


def _is_plausible(box: Box, midline: Midline) -> bool:
    beside = abs(box.center[0] - float(midline.at(box.center[2])))
    return bool(((box.high - box.low) <= _MAX_EXTENT_MM).all()) and _BESIDE_SPINE_MM[0] <= beside <= _BESIDE_SPINE_MM[1]
