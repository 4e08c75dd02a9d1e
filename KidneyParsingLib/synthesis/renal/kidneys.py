"""Kidney shapes chosen and varied for a plan, and set into a made patient."""

from __future__ import annotations

from pathlib import Path

import cc3d
import numpy as np

from ..atlas import KidneyShape, kidney_shapes
from ..fields import rotation, warp_labels
from ..tissues import NUM_TISSUES, Tissue
from .kidney_bed import make_room
from .landmarks import LATERAL
from .lesions import CYST, KIDNEY, TUMOR, paint_lesions, with_lesions
from .parenchyma import Kidney, set_parenchyma
from .variants import KidneyPlan

_KEPT = (Tissue.BONE, Tissue.MARROW, Tissue.DISC, Tissue.ARTERY, Tissue.VEIN, Tissue.AIR, Tissue.SKIN, Tissue.PLAQUE,
         Tissue.METAL, Tissue.TABLE)  # fmt: skip
_MOST_READ = 12
# Less parenchyma than this, cut off by the canvas or by bone, is no kidney.
_LEAST_MM3 = 10_000
_MEDIAL_MM = 8.0
# How far lesions and kidneys dent the muscles of the back.
_DENT_MM = (8.0, 16.0)


def draw_shape(
    cases: list[Path], side: str, plan: KidneyPlan, spacing: float, rng: np.random.Generator
) -> np.ndarray | None:  # fmt: skip
    """A random real kidney (1 kidney, 2 tumor, 3 cyst) with the lesions that the plan wants from a real one; one of the
    other side is mirrored. None where there are no cases or none of a dozen would do."""
    wanted = (plan.lesions.real_tumor, plan.lesions.real_cyst)
    for _ in range(_MOST_READ if cases else 0):
        shapes = kidney_shapes(cases[rng.integers(len(cases))], spacing)
        for shape in (shapes[i] for i in rng.permutation(len(shapes))):
            if _shows(shape.array, spacing) == wanted:
                return _as_side(shape, side)
    return None


def _shows(array: np.ndarray, spacing: float) -> tuple[bool, bool]:
    """Whether a shape has a tumor, and a cyst."""
    return bool((array == TUMOR).any()), bool((array == CYST).sum() * spacing**3 > 50)


def _as_side(shape: KidneyShape, side: str) -> np.ndarray:
    return shape.array if shape.side == side else shape.array[:, :, ::-1].copy()


def vary_shape(
    array: np.ndarray, side: str, plan: KidneyPlan, tilt_deg: float, spacing: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The shape turned, scaled and bent with the plan's lesions added, and the vector (z, y, x) out of its hilum.

    `tilt_deg` takes the lower pole towards the midline, as in a horseshoe kidney.
    """
    inward = -LATERAL[side]
    angles = rng.uniform(-12, 12, 3) + (-inward * plan.turn_deg, inward * tilt_deg, 0)
    turn, scale = rotation(angles), rng.uniform(0.85, 1.15, 3) * np.cbrt(plan.growth)
    if plan.volume_ml:
        scale *= np.cbrt(plan.volume_ml * 1000 / ((array == KIDNEY).sum() * spacing**3 * scale.prod()))
    reach = np.abs(scale[:, None] * turn.T) @ np.array(array.shape)
    size = tuple(int(n) + 2 * round(8 / spacing) for n in reach)
    shape = warp_labels(array, turn / scale, size, rng.uniform(0, 1.5) / spacing, 24 / spacing, rng)
    outward = scale * (turn.T @ np.array([0.0, -0.25, inward]))
    return with_lesions(shape, plan.lesions, spacing, rng), outward


def place_kidney(
    tissues: np.ndarray, shape: np.ndarray, outward: np.ndarray, center: np.ndarray, side: str, plan: KidneyPlan,
    spacing: float, rng: np.random.Generator
) -> Kidney | None:  # fmt: skip
    """Sets one kidney with its lesions and the fat around it into the tissues, in place; None if it is too small.

    `shape` (1 kidney, 2 tumor, 3 cyst) is put with the parenchyma's centre of mass near `center` (z, y, x), moved to
    the side and the front while it would overlap spine, great vessels or psoas.
    """
    solid = np.argwhere(shape > 0)
    middle = np.argwhere(shape == KIDNEY).mean(0) if (shape == KIDNEY).any() else solid.mean(0)
    corner = np.round(center - middle).astype(int)
    corner += _shift(tissues, solid[rng.permutation(len(solid))[:3000]] + corner, side, spacing)
    corner, kidney = _within(shape, corner, tissues.shape, round(4 / spacing))
    if (kidney == KIDNEY).sum() * spacing**3 < _LEAST_MM3:
        return None
    local = tissues[tuple(slice(c, c + n) for c, n in zip(corner, kidney.shape, strict=True))]
    table = np.ones(NUM_TISSUES, bool)
    table[list(_KEPT)] = False
    free = table[local] & ~_behind_wall(local, np.where(kidney > KIDNEY, *_DENT_MM) / spacing)
    kidney = np.where(_largest((kidney > 0) & free), kidney, 0).astype(np.uint8)
    if (kidney == KIDNEY).sum() * spacing**3 < _LEAST_MM3:
        return None
    make_room(tissues, (kidney > 0) & free, corner, plan.fat_mm, spacing, rng)
    result = set_parenchyma(local, kidney, free, corner, outward, side, plan, spacing, rng)
    paint_lesions(local, np.where(result.solid, kidney, 0), plan.lesions, spacing, rng)
    return result


def _shift(tissues: np.ndarray, points: np.ndarray, side: str, spacing: float) -> np.ndarray:
    """The least move (z, y, x voxels) to the side and front after which hardly anything overlaps what stays."""
    cost = np.zeros(NUM_TISSUES)
    cost[list(_KEPT)] = 1
    cost[Tissue.MUSCLE] = 0.35
    # Aorta and cava lie at least this far from the kidney.
    beside = np.array([0, 0, -LATERAL[side] * round(_MEDIAL_MM / spacing)])
    points = np.concatenate([points, points + beside])
    best, least = np.zeros(3, int), np.inf
    for sideways in range(8):
        for forward in range(8):
            move = np.array([0, -forward, LATERAL[side] * sideways]) * round(4 / spacing)
            moved = points + move
            moved = moved[((moved >= 0) & (moved < tissues.shape)).all(1)]
            overlap = cost[tissues[tuple(moved.T)]].mean() if len(moved) else 1.0
            total = max(0.0, overlap - 0.01) + 0.004 * (sideways + forward)
            if total < least:
                best, least = move, total
    return best


def _behind_wall(local: np.ndarray, dent: np.ndarray) -> np.ndarray:
    """What lies more than `dent` voxels behind the front of the muscles of the back, which give way so far only."""
    rows = np.arange(local.shape[1])[:, None]
    muscle = (local == Tissue.MUSCLE) & (rows > len(rows) // 2)
    front = np.where(muscle.any(1), muscle.argmax(1), len(rows))
    return rows > front[:, None, :] + dent


def _largest(mask: np.ndarray) -> np.ndarray:
    return mask & (cc3d.largest_k(mask, k=1, connectivity=6) > 0) if mask.any() else mask


def _within(
    shape: np.ndarray, corner: np.ndarray, whole: tuple[int, ...], margin: int
) -> tuple[np.ndarray, np.ndarray]:
    """Corner and window of the shape cut to what it fills plus `margin` voxels and to the patient's grid."""
    filled = np.argwhere(shape > 0)
    padded = np.pad(shape, margin)
    low = np.maximum(filled.min(0) + corner - margin, 0)
    high = np.minimum(filled.max(0) + 1 + corner + margin, whole)
    high = np.maximum(high, low)
    start = low - corner + margin
    return low, padded[tuple(slice(a, a + n) for a, n in zip(start, high - low, strict=True))]


def lower_pole(kidney: Kidney) -> np.ndarray:
    """The middle (3,) of the lowest twentieth of the parenchyma, voxels of the patient."""
    points = np.argwhere(kidney.solid & ~kidney.lesion) + kidney.corner
    return points[points[:, 0] <= np.quantile(points[:, 0], 0.07)].mean(0)
