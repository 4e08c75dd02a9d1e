"""What lies around a kidney or where one has been: perirenal fat, neighbours that touch, a filled bed, an isthmus."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...anatomy import LEFT
from ..fields import paint_tube, smooth_noise, spline_path
from ..tissues import NUM_TISSUES, Tissue
from .landmarks import Landmarks

_ORGANS = (Tissue.LIVER, Tissue.SPLEEN, Tissue.PANCREAS, Tissue.BOWEL_WALL, Tissue.BOWEL_FLUID, Tissue.BOWEL_GAS,
           Tissue.BOWEL_CONTRAST, Tissue.STOOL, Tissue.STOMACH, Tissue.ADRENAL, Tissue.GALLBLADDER,
           Tissue.LUNG)  # fmt: skip
_NEIGHBOURS = (Tissue.LIVER, Tissue.SPLEEN, Tissue.MUSCLE)
_BOWEL_CONTENTS = (Tissue.BOWEL_FLUID, Tissue.BOWEL_GAS, Tissue.BOWEL_CONTRAST, Tissue.STOOL)
# A lean patient's neighbours come up to the kidney where the gap is not wider.
_LEAN_MM, _GAP_MM = 7.0, 14.0


def make_room(
    tissues: np.ndarray, solid: np.ndarray, corner: np.ndarray, fat_mm: float, spacing: float, rng: np.random.Generator
) -> None:
    """Turns organs nearer than about `fat_mm` to `solid` (a window starting at `corner`) to fat, in place; in a lean
    patient liver, spleen and muscle fill narrow gaps."""
    margin = int(np.ceil(max(1.6 * fat_mm, _GAP_MM) / spacing)) + 1
    low = np.maximum(corner - margin, 0)
    high = np.minimum(corner + solid.shape + margin, tissues.shape)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    mask = np.zeros(high - low, bool)
    mask[tuple(slice(c, c + n) for c, n in zip(corner - low, solid.shape, strict=True))] = solid
    away = (ndimage.distance_transform_edt(~mask) * spacing).astype(np.float32)
    # Between nothing and twice the mean: organs touch in places.
    limit = fat_mm * (0.8 + 0.5 * smooth_noise(mask.shape, 25 / spacing, rng))
    local = tissues[window]
    local[_table(_ORGANS)[local] & (away < limit)] = Tissue.FAT
    if fat_mm < _LEAN_MM:
        _close_gaps(local, away, np.maximum(limit, 0.5), spacing)


def _table(kinds: tuple[Tissue, ...]) -> np.ndarray:
    table = np.zeros(NUM_TISSUES, bool)
    table[list(kinds)] = True
    return table


def _close_gaps(local: np.ndarray, away: np.ndarray, limit: np.ndarray, spacing: float) -> None:
    neighbours = _table(_NEIGHBOURS)[local]
    if not neighbours.any():
        return
    distance, nearest = ndimage.distance_transform_edt(~neighbours, return_indices=True)
    gap = (local == Tissue.FAT) & (away > limit) & (away + distance * spacing < _GAP_MM)
    local[gap] = local[tuple(nearest[:, gap])]


def fill_bed(tissues: np.ndarray, bed: np.ndarray, side: str, spacing: float, rng: np.random.Generator) -> None:
    """What falls into the bed (mask) of a removed kidney, in place: bowel, or spleen (left) or liver (right)."""
    box = ndimage.find_objects(bed.astype(np.uint8))[0]
    local, mask = tissues[box], bed[box]
    uneven = 1 + 0.3 * smooth_noise(mask.shape, 20 / spacing, rng)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1, 1:-1] * spacing
    fallen = mask & (depth > rng.uniform(0, 8) * uneven)
    if rng.random() < 0.35:
        local[fallen] = Tissue.SPLEEN if side == LEFT else Tissue.LIVER
        return
    local[fallen] = Tissue.BOWEL_WALL
    inside = ndimage.binary_erosion(fallen, iterations=max(1, round(2 / spacing)))
    local[inside] = _BOWEL_CONTENTS[rng.integers(len(_BOWEL_CONTENTS))]
    air = smooth_noise(mask.shape, 15 / spacing, rng) > rng.uniform(0.3, 1.5)
    local[inside & air] = Tissue.BOWEL_GAS


def paint_isthmus(
    tissues: np.ndarray, poles: list[np.ndarray], landmarks: Landmarks, spacing: float, rng: np.random.Generator
) -> np.ndarray:
    """Joins the lower poles (two points) of a horseshoe kidney by parenchyma before aorta and cava, in place; returns
    the (z, x) map of the first row (y) that it takes, for ureters to pass before it."""
    z = float(np.mean([pole[0] for pole in poles]))
    radius = rng.uniform(7, 13) / spacing
    trunks = (landmarks.cava, landmarks.aorta)
    over = [line.at(z) - (0, line.radius_at(z) + radius + 1 / spacing, 0) for line in trunks]
    points = [poles[0], *((z, min(p[1] for p in over), p[2]) for p in over), poles[1]]
    mask = np.zeros(tissues.shape, bool)
    paint_tube(mask, spline_path([np.asarray(p, float) for p in points]), radius)
    kept = _table((Tissue.ARTERY, Tissue.VEIN, Tissue.PLAQUE, Tissue.BONE, Tissue.MARROW, Tissue.DISC, Tissue.AIR,
                   Tissue.SKIN, Tissue.TUMOR, Tissue.CYST, Tissue.MEDULLA, Tissue.OTHER_ARTERY))  # fmt: skip
    tissues[mask & ~kept[tissues]] = Tissue.CORTEX
    return np.where(mask.any(1), mask.argmax(1), tissues.shape[1]).astype(np.float32)
