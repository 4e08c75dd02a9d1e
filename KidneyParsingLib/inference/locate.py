"""Where the kidneys are: the locator network on the whole CT at 4 mm, its components, their sides."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np

from ..anatomy import LEFT, RIGHT
from ..networks.configs import LOCATOR_CLASSES
from .grid import Box, Grid

MIN_KIDNEY_ML = 8.0
# A kidney, however large its tumor, is no longer than this (x, y, z) and its centre is this far beside the spine, mm.
_MAX_EXTENT_MM = np.array([260.0, 220.0, 280.0])
_BESIDE_SPINE_MM = (15.0, 140.0)
_KIDNEY = LOCATOR_CLASSES.index("kidney")
_SPINE = LOCATOR_CLASSES.index("spine")


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
    """A kidney as the locator sees it: its side, the box around it and its volume in ml."""

    side: str
    box: Box
    ml: float


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


def find_kidneys(logits: np.ndarray, grid: Grid, midline: Midline) -> list[LocatedKidney]:
    """At most one kidney a side: there the plausible component with the most evidence (its summed probability, at least 8 ml)."""
    exponent = np.exp(logits - logits.max(0))
    probability = exponent[_KIDNEY] / exponent.sum(0)
    parts = cc3d.connected_components(probability > 0.5, connectivity=6)
    voxel_ml = float(np.prod(grid.spacing)) / 1000
    evidence = np.bincount(parts.ravel(), probability.ravel()) * voxel_ml
    best: dict[str, LocatedKidney] = {}
    for part in np.argsort(evidence)[::-1]:
        if part == 0 or evidence[part] < MIN_KIDNEY_ML:
            continue
        box = grid.box_of(parts == part)
        if not _is_plausible(box, midline):
            continue
        side = RIGHT if box.center[0] < midline.at(box.center[2]) else LEFT
        best.setdefault(side, LocatedKidney(side, box, float(evidence[part])))
    return list(best.values())


def _is_plausible(box: Box, midline: Midline) -> bool:
    beside = abs(box.center[0] - float(midline.at(box.center[2])))
    return bool(((box.high - box.low) <= _MAX_EXTENT_MM).all()) and _BESIDE_SPINE_MM[0] <= beside <= _BESIDE_SPINE_MM[1]
