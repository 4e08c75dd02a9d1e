"""Where a system parses: around the kidneys that the locator found, or those that its own first network found."""

from __future__ import annotations

import cc3d
import numpy as np

from ..anatomy import LEFT
from ..networks.configs import NetworkConfig
from .grid import Box, Grid
from .locate import LocatedKidney, Midline

# Around a kidney's box, mm. The great vessels are reached by going past the midline, the ureter by going down.
_MARGIN_MM = 24.0
_BELOW_MM = 40.0
_PAST_MIDLINE_MM = 30.0
# BiSC-UNet's ROIs are 160 voxels wide, its training patch, or 192 where the kidney is larger.
_LARGER = 1.2
_MIN_KIDNEY_ML = 5.0


def roi_box(kidney: LocatedKidney, midline: Midline) -> Box:
    """The box in which one kidney with its vessels and upper ureter is parsed."""
    box = kidney.box.grown((_MARGIN_MM,) * 2 + (_BELOW_MM,), (_MARGIN_MM,) * 3)
    middle = float(midline.at((box.low[2] + box.high[2]) / 2))
    low, high = box.low.copy(), box.high.copy()
    if kidney.side == LEFT:
        low[0] = min(low[0], middle - _PAST_MIDLINE_MM)
    else:
        high[0] = max(high[0], middle + _PAST_MIDLINE_MM)
    return Box(low, high)


def largest_components(mask: np.ndarray, grid: Grid, most: int = 2) -> np.ndarray:
    """The at most two largest components of a rough kidney mask (z, y, x) of at least 5 ml (BiSC-UNet, section 3.2)."""
    parts = cc3d.connected_components(mask, connectivity=26)
    voxels = np.bincount(parts.ravel())
    voxels[0] = 0
    enough = _MIN_KIDNEY_ML * 1000 / float(np.prod(grid.spacing))
    chosen = [part for part in np.argsort(voxels)[::-1][:most] if voxels[part] >= enough]
    return np.where(np.isin(parts, chosen), parts, 0)


def component_boxes(parts: np.ndarray, grid: Grid, config: NetworkConfig, spacing: tuple[float, ...]) -> list[Box]:
    """Boxes around the components, in plane as wide as the network's training patch, or 1.2 times that where the
    component is larger (BiSC-UNet: 160 or 192 voxels), along z with a margin. `spacing` (z, y, x) is the network's,
    mm."""
    boxes = [grid.box_of(parts == part) for part in np.unique(parts[parts > 0])]
    return [_widened(box, config, spacing) for box in boxes]


def _widened(box: Box, config: NetworkConfig, spacing: tuple[float, ...]) -> Box:
    low, high = box.low - _MARGIN_MM, box.high + _MARGIN_MM
    for axis in (0, 1):
        width = config.patch[2 - axis] * spacing[2 - axis]
        if box.high[axis] - box.low[axis] > width:
            width *= _LARGER
        missing = max(0.0, width - (high[axis] - low[axis])) / 2
        low[axis], high[axis] = low[axis] - missing, high[axis] + missing
    return Box(low, high)
