"""Where spine and kidneys lie in SPL tissues; the rest of the trunk is placed by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...anatomy import LEFT, RIGHT
from ..tissues import VERTEBRA_TISSUES, Tissue


@dataclass(frozen=True)
class KidneyPlace:
    """Lowest and highest voxel and centre (z, y, x) of an SPL kidney."""

    low: np.ndarray
    high: np.ndarray
    center: np.ndarray


@dataclass(frozen=True)
class TrunkMarks:
    """`middle` (x) and `front` (y) of the vertebral bodies in every slice, and the kidneys by side."""

    middle: np.ndarray
    front: np.ndarray
    kidneys: dict[str, KidneyPlace]

    @property
    def kidney_span(self) -> tuple[int, int]:
        """Lowest and highest slice of both kidneys."""
        return min(k.low[0] for k in self.kidneys.values()), max(k.high[0] for k in self.kidneys.values())

    def moved(self, corner: np.ndarray) -> TrunkMarks:
        """The same marks counted from `corner` (0, y, x)."""
        kidneys = {
            side: KidneyPlace(k.low - corner, k.high - corner, k.center - corner) for side, k in self.kidneys.items()
        }
        return TrunkMarks(self.middle - corner[2], self.front - corner[1], kidneys)


def find_marks(tissues: np.ndarray, spacing: float) -> TrunkMarks | None:
    """Marks of SPL tissues (z, y, x); None without a spine and two kidneys."""
    spine = np.isin(tissues, VERTEBRA_TISSUES)
    heights = np.flatnonzero(spine.any((1, 2)))
    if len(heights) < 5:
        return None
    columns = np.array([np.flatnonzero(spine[z].any(0)).mean() for z in heights])
    middle = _along(heights, columns, len(tissues), 15 / spacing)
    kidneys = _kidneys(tissues, float(np.median(middle)))
    if len(kidneys) < 2:
        return None
    return TrunkMarks(middle, _front(spine, heights, middle, spacing), kidneys)


def _along(heights: np.ndarray, values: np.ndarray, count: int, sigma: float) -> np.ndarray:
    """Values at some heights, smoothed, for every slice."""
    smooth = ndimage.gaussian_filter1d(values.astype(float), sigma, mode="nearest")
    return np.interp(np.arange(count), heights, smooth)


def _front(spine: np.ndarray, heights: np.ndarray, middle: np.ndarray, spacing: float) -> np.ndarray:
    reach = round(12 / spacing)
    rows = []
    for z in heights:
        x = round(middle[z])
        near = np.flatnonzero(spine[z, :, max(0, x - reach) : x + reach + 1].any(1))
        rows.append(near[0] if len(near) else np.nan)
    rows = np.array(rows, float)
    known = np.isfinite(rows)
    return _along(heights[known], rows[known], len(spine), 5 / spacing)


def _kidneys(tissues: np.ndarray, middle: float) -> dict[str, KidneyPlace]:
    points = np.argwhere(tissues == Tissue.CORTEX)
    sides = {RIGHT: points[points[:, 2] < middle], LEFT: points[points[:, 2] > middle]}
    return {side: KidneyPlace(p.min(0), p.max(0), p.mean(0)) for side, p in sides.items() if len(p)}
