"""Real kidney shapes set into made anatomy: parenchyma, sinus, collecting system, lesions, renal vessels, ureter."""

from __future__ import annotations

import cc3d
import numpy as np
from scipy import ndimage

from ..anatomy import LEFT
from .atlas import KidneyShape
from .fields import closed, dilated, paint_tube, rotation, smooth_noise, spline_path, warp_labels
from .renal_tree import LATERAL, Trunk, paint_tree
from .tissues import Tissue

_KEPT = (Tissue.BONE, Tissue.MARROW, Tissue.DISC, Tissue.ARTERY, Tissue.VEIN, Tissue.AIR, Tissue.SKIN)
_ORGANS = (Tissue.LIVER, Tissue.SPLEEN, Tissue.PANCREAS, Tissue.BOWEL_WALL, Tissue.BOWEL_FLUID, Tissue.BOWEL_GAS,
           Tissue.BOWEL_CONTRAST, Tissue.STOMACH, Tissue.ADRENAL, Tissue.GALLBLADDER)  # fmt: skip


def vary_shape(shape: KidneyShape, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """The shape turned by up to 12 degrees, scaled by 0.85-1.15 and bent, with a margin of 20 mm."""
    margin = round(20 / spacing)
    size = tuple(n + 2 * margin for n in shape.array.shape)
    matrix = rotation(rng.uniform(-12, 12, 3)) / rng.uniform(0.85, 1.15, 3)
    return warp_labels(shape.array, matrix, size, rng.uniform(0, 1.5) / spacing, 24 / spacing, rng)


def with_lesion(shape: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """The shape with one round, uneven tumor (2 in 3) or cyst of 6-28 mm radius growing from its surface."""
    depth = ndimage.distance_transform_edt(shape > 0)
    surface = np.argwhere((depth > 0) & (depth < 2))
    center = surface[rng.integers(len(surface))]
    distance = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(np.ogrid[tuple(map(slice, shape.shape))], center)))
    radius = rng.uniform(6, 28) / spacing * (1 + 0.12 * smooth_noise(shape.shape, 12 / spacing, rng))
    return np.where(distance < radius, 2 if rng.random() < 2 / 3 else 3, shape).astype(np.uint8)


def place_kidney(
    tissues: np.ndarray, shape: np.ndarray, center: np.ndarray, side: str, trunk: Trunk, spacing: float,
    rng: np.random.Generator
) -> None:  # fmt: skip
    """Sets one kidney with its vessels and ureter into the tissues, in place.

    `shape` (1 kidney, 2 tumor, 3 cyst) is put with its centre of mass at `center` (z, y, x), moved laterally if it
    would overlap the spine.
    """
    solid = np.argwhere(shape > 0)
    corner = np.round(center - solid.mean(0)).astype(int)
    corner[2] += _lateral_shift(tissues, solid, corner, side, spacing)
    source, target = _overlap(shape.shape, corner, tissues.shape)
    local, kidney = tissues[target], shape[source]
    if (kidney == 1).sum() * spacing**3 < 20_000:
        return
    sinus = _paint_parenchyma(local, kidney, side, spacing, rng)
    paint_tree(tissues, local, sinus, np.array([s.start for s in target]), side, trunk, spacing, rng)


def _lateral_shift(tissues: np.ndarray, solid: np.ndarray, corner: np.ndarray, side: str, spacing: float) -> int:
    """Voxels along x after which at most 2 % of the kidney lies where bone or great vessels are."""
    step = LATERAL[side] * round(4 / spacing)
    for count in range(8):
        points = solid + corner + (0, 0, count * step)
        points = points[((points >= 0) & (points < tissues.shape)).all(1)]
        if np.isin(tissues[tuple(points.T)], _KEPT).mean() <= 0.02:
            break
    return count * step


def _overlap(size: tuple[int, ...], corner: np.ndarray, whole: tuple[int, ...]) -> tuple[tuple[slice, ...], ...]:
    low, high = np.maximum(corner, 0), np.minimum(corner + size, whole)
    high = np.maximum(high, low)
    source = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, corner, strict=True))
    return source, tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def _paint_parenchyma(
    local: np.ndarray, kidney: np.ndarray, side: str, spacing: float, rng: np.random.Generator
) -> np.ndarray:
    """Paints fat, cortex, medulla and lesions into the window `local`; returns the mask of the renal sinus."""
    free = ~np.isin(local, _KEPT)
    solid = (kidney > 0) & free
    envelope = closed(solid, rng.uniform(8, 13) / spacing)
    sinus = _sinus(solid, envelope, side, spacing, rng)
    solid &= ~sinus
    fat = dilated(envelope, rng.uniform(1, 10) / spacing) & np.isin(local, _ORGANS)
    local[(fat | (envelope & free)) & ~solid] = Tissue.FAT
    depth = ndimage.distance_transform_edt(envelope) * spacing
    thickness = rng.uniform(5, 9) * (1 + 0.3 * smooth_noise(kidney.shape, 8 / spacing, rng))
    columns = smooth_noise(kidney.shape, rng.uniform(8, 14) / spacing, rng) < rng.uniform(-0.8, 0)
    local[solid] = np.where((depth < thickness) | columns, Tissue.CORTEX, Tissue.MEDULLA)[solid]
    local[solid & (kidney == 2)] = Tissue.TUMOR
    local[solid & (kidney == 3)] = Tissue.CYST
    return sinus


def _sinus(solid: np.ndarray, envelope: np.ndarray, side: str, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """The hollow of the kidney; where a shape has hardly any, one is carved from the medial side."""
    hollow = envelope & ~solid
    parts = cc3d.connected_components(hollow, connectivity=6)
    voxels = np.bincount(parts.ravel())
    voxels[0] = 0
    sinus = parts == voxels.argmax() if voxels.any() else np.zeros_like(solid)
    if sinus.sum() * spacing**3 > 1500:
        return sinus
    points = np.argwhere(solid)
    middle = points.mean(0)
    edge = points[:, 2].min() if side == LEFT else points[:, 2].max()
    mouth = np.array([middle[0], middle[1], edge])
    path = spline_path([mouth, mouth + 0.7 * (middle - mouth)])
    paint_tube(sinus, path, rng.uniform(6, 10) / spacing)
    return sinus & envelope
