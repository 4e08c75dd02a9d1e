"""Where a system parses: around the kidneys that the locator found, or those that its own first network found."""

from __future__ import annotations

from collections.abc import Sequence

import cc3d
import numpy as np

from ..anatomy import LEFT, RIGHT
from .grid import Box, Grid
from .locate import LocatedKidney, Midline

# Around a kidney's box, mm. The great vessels are reached by going past the midline, the ureter by going down.
_MARGIN_MM = 24.0
# Where time allows, more before, behind and above: there kidneys with large lesions end beyond the locator's box, and
# there the great vessels come from (docs/experiments.md, 11).
_WIDE_MARGIN_MM = 36.0
_BELOW_MM = 40.0
_PAST_MIDLINE_MM = 30.0
# Below the kidneys, the column in which ureters run down to the bladder, mm: across, before and behind the kidneys'
# middle, and down; and how far it reaches up into the kidneys' boxes.
_COLUMN_HALF_MM = 66.0
_COLUMN_BEFORE_MM = 76.0
_COLUMN_BEHIND_MM = 36.0
_COLUMN_LENGTH_MM = 250.0
_COLUMN_OVERLAP_MM = 16.0
# An organ that leaves the parsed part through less than this is not worth a second run.
_TIP_MM2 = 150.0
# BiSC-UNet's ROIs are 160 voxels wide, its training patch, or 192 where the kidney is larger.
_LARGER = 1.2
_MULTIPLE = 16
_MIN_KIDNEY_ML = 5.0


def roi_box(kidney: LocatedKidney, midline: Midline, wide: bool = False) -> Box:
    """The box in which one kidney with its vessels and upper ureter is parsed."""
    margin = _WIDE_MARGIN_MM if wide else _MARGIN_MM
    box = kidney.box.grown((_MARGIN_MM, margin, _BELOW_MM), (_MARGIN_MM, margin, margin))
    middle = float(midline.at((box.low[2] + box.high[2]) / 2))
    low, high = box.low.copy(), box.high.copy()
    if kidney.side == LEFT:
        low[0] = min(low[0], middle - _PAST_MIDLINE_MM)
    else:
        high[0] = max(high[0], middle + _PAST_MIDLINE_MM)
    return Box(low, high)


def opposite(kidney: LocatedKidney, midline: Midline) -> LocatedKidney:
    """Where the other kidney would be if the patient were symmetric; no evidence."""
    low, high = kidney.box.low.copy(), kidney.box.high.copy()
    middle = float(midline.at(kidney.box.center[2]))
    low[0], high[0] = 2 * middle - kidney.box.high[0], 2 * middle - kidney.box.low[0]
    return LocatedKidney(LEFT if kidney.side == RIGHT else RIGHT, Box(low, high), 0.0)


def ureter_box(kidneys: Sequence[LocatedKidney], midline: Midline) -> Box:
    """The box below the kidneys' boxes in which both ureters run to the bladder, beside the great vessels' forks."""
    top = max(float(kidney.box.low[2]) for kidney in kidneys) - _BELOW_MM + _COLUMN_OVERLAP_MM
    x = float(midline.at(top))
    y = float(np.mean([kidney.box.center[1] for kidney in kidneys]))
    low = np.array([x - _COLUMN_HALF_MM, y - _COLUMN_BEFORE_MM, top - _COLUMN_LENGTH_MM])
    return Box(low, np.array([x + _COLUMN_HALF_MM, y + _COLUMN_BEHIND_MM, top]))


def is_cut(organ: np.ndarray, seen: np.ndarray, grid: Grid, scan: Box) -> bool:
    """Whether an organ's mask (z, y, x) ends, by more than a tip, where the parsed part `seen` (z, y, x) of a grid ends
    but the scan goes on."""
    area = 0.0
    for axis in range(3):
        face = np.prod([mm for i, mm in enumerate(grid.spacing) if i != axis])
        for step in (-1, 1):
            beyond = _shifted(seen, axis, step) == 0
            voxels = (organ & beyond).sum(tuple(i for i in range(3) if i != axis))
            area += float(voxels[_goes_on(grid, scan, axis, step)].sum() * face)
    return area > _TIP_MM2


def _shifted(mask: np.ndarray, axis: int, step: int) -> np.ndarray:
    """Every voxel's neighbour along an axis; False beyond the border."""
    width = [(0, 0)] * 3
    width[axis] = (1, 1)
    return np.take(np.pad(mask, width), np.arange(mask.shape[axis]) + 1 + step, axis)


def _goes_on(grid: Grid, scan: Box, axis: int, step: int) -> np.ndarray:
    """For each plane of a grid along an axis, whether two planes further the scan still shows the patient."""
    patient, mm = 2 - axis, grid.spacing[axis]
    position = grid.origin[patient] + mm * (np.arange(grid.size[axis]) + 2 * step)
    return (position > scan.low[patient]) & (position < scan.high[patient])


def largest_components(mask: np.ndarray, grid: Grid, most: int = 2) -> np.ndarray:
    """The at most two largest components of a rough kidney mask (z, y, x) of at least 5 ml (BiSC-UNet, section 3.2)."""
    parts = cc3d.connected_components(mask, connectivity=26)
    voxels = np.bincount(parts.ravel())
    voxels[0] = 0
    enough = _MIN_KIDNEY_ML * 1000 / float(np.prod(grid.spacing))
    chosen = [part for part in np.argsort(voxels)[::-1][:most] if voxels[part] >= enough]
    return np.where(np.isin(parts, chosen), parts, 0)


def component_boxes(parts: np.ndarray, grid: Grid) -> list[Box]:
    """Boxes around the components, with a margin."""
    margin = (_MARGIN_MM,) * 3
    return [grid.box_of(parts == part).grown(margin, margin) for part in np.unique(parts[parts > 0])]


def patch_boxes(parts: np.ndarray, grid: Grid, patch: tuple[int, ...], spacing: tuple[float, ...]) -> list[Box]:
    """BiSC-UNet's ROIs around the components (section 3.2), in voxels of the fine network's `spacing` (z, y, x): in
    plane 160 (its training `patch`), or 192 where a component is wider; along z the next multiple of 16 above the
    component.

    A component wider than 192 (paper silent) is not cut: its ROI is the next multiple of 16 in plane too.
    """
    boxes = [grid.box_of(parts == part) for part in np.unique(parts[parts > 0])]
    return [_roi_of(box, patch, spacing) for box in boxes]


def _roi_of(box: Box, patch: tuple[int, ...], spacing: tuple[float, ...]) -> Box:
    steps = np.asarray(spacing[::-1])
    voxels = (box.high - box.low) / steps
    size = _multiple(voxels)
    for axis in (0, 1):
        width = patch[2 - axis]
        larger = max(_multiple(width * _LARGER), size[axis])
        size[axis] = width if voxels[axis] <= width else larger
    return Box(box.center - size * steps / 2, box.center + size * steps / 2)


def _multiple(voxels: np.ndarray | float) -> np.ndarray | float:
    return np.ceil(np.asarray(voxels) / _MULTIPLE) * _MULTIPLE
