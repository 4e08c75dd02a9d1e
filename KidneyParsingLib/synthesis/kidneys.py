"""Real kidney shapes set into made anatomy: parenchyma, sinus, collecting system, lesions, renal vessels, ureter."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
from scipy import ndimage

from ..anatomy import LEFT, RIGHT
from .atlas import KidneyShape
from .fields import closed, dilated, paint_tube, rotation, smooth_noise, spline_path, warp_labels
from .tissues import Tissue

_KEPT = (Tissue.BONE, Tissue.MARROW, Tissue.DISC, Tissue.ARTERY, Tissue.VEIN, Tissue.AIR, Tissue.SKIN)
_ORGANS = (Tissue.LIVER, Tissue.SPLEEN, Tissue.PANCREAS, Tissue.BOWEL_WALL, Tissue.BOWEL_FLUID, Tissue.BOWEL_GAS,
           Tissue.BOWEL_CONTRAST, Tissue.STOMACH, Tissue.ADRENAL, Tissue.GALLBLADDER)  # fmt: skip
# Lateral direction along x (x runs to the patient's left).
_LATERAL = {RIGHT: -1, LEFT: 1}


@dataclass(frozen=True)
class Trunk:
    """Centre lines that renal vessels and ureters start from; arrays of (z, y, x) voxels, z ascending."""

    aorta: np.ndarray
    cava: np.ndarray
    ureters: dict[str, np.ndarray]

    @staticmethod
    def at(line: np.ndarray, z: float) -> np.ndarray:
        """The point of a centre line nearest to height z."""
        return line[np.argmin(np.abs(line[:, 0] - z))].astype(float)


def center_line(mask: np.ndarray) -> np.ndarray:
    """Centroid (z, y, x) of every slice that a tube-like mask crosses."""
    heights = np.flatnonzero(mask.any((1, 2)))
    return np.array([(z, *ndimage.center_of_mass(mask[z])) for z in heights])


def vary_shape(shape: KidneyShape, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """The shape turned by up to 12 degrees, scaled by 0.85-1.15 and bent, with a margin of 20 mm."""
    margin = round(20 / spacing)
    size = tuple(n + 2 * margin for n in shape.array.shape)
    matrix = rotation(rng.uniform(-12, 12, 3)) / rng.uniform(0.85, 1.15, 3)
    return warp_labels(shape.array, matrix, size, rng.uniform(0, 1.5) / spacing, 24 / spacing, rng)


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
    _paint_tree(tissues, local, sinus, np.array([s.start for s in target]), side, trunk, spacing, rng)


def _lateral_shift(tissues: np.ndarray, solid: np.ndarray, corner: np.ndarray, side: str, spacing: float) -> int:
    """Voxels along x after which at most 2 % of the kidney lies where bone or great vessels are."""
    step = _LATERAL[side] * round(4 / spacing)
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


def _sinus(
    solid: np.ndarray, envelope: np.ndarray, side: str, spacing: float, rng: np.random.Generator
) -> np.ndarray:
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


def _paint_tree(
    tissues: np.ndarray, local: np.ndarray, sinus: np.ndarray, corner: np.ndarray, side: str, trunk: Trunk,
    spacing: float, rng: np.random.Generator
) -> None:  # fmt: skip
    """Collecting system, ureter, renal vein and artery of one kidney, painted over fat, bowel and parenchyma."""
    inner = np.argwhere(sinus)
    if not len(inner):
        return
    medial = np.argsort(inner[:, 2] * _LATERAL[side])
    hilum = inner[medial[: max(1, len(medial) // 4)]].mean(0) + corner
    pelvis = inner.mean(0) + corner
    free = ~np.isin(tissues, (Tissue.BONE, Tissue.MARROW, Tissue.DISC, Tissue.AIR, Tissue.TUMOR, Tissue.CYST))
    masks = {tissue: np.zeros(tissues.shape, bool) for tissue in (Tissue.VEIN, Tissue.URINE, Tissue.ARTERY)}
    _paint_collecting_system(masks[Tissue.URINE], local, sinus, corner, pelvis, hilum, spacing, rng)
    _paint_ureter(masks[Tissue.URINE], hilum, side, trunk, spacing, rng)
    _paint_vein(masks[Tissue.VEIN], inner + corner, hilum, side, trunk, spacing, rng)
    for _ in range(2 if rng.random() < 0.25 else 1):
        _paint_artery(masks[Tissue.ARTERY], inner + corner, hilum, side, trunk, spacing, rng)
    for tissue, mask in masks.items():
        tissues[mask & free] = tissue


def _paint_collecting_system(
    mask: np.ndarray, local: np.ndarray, sinus: np.ndarray, corner: np.ndarray, pelvis: np.ndarray, hilum: np.ndarray,
    spacing: float, rng: np.random.Generator
) -> None:  # fmt: skip
    wide = rng.uniform(6, 10) if rng.random() < 0.12 else rng.uniform(2.5, 5)
    path = spline_path([pelvis, hilum + rng.normal(0, 2, 3) / spacing])
    paint_tube(mask, path, np.linspace(0.7 * wide, wide, len(path)) / spacing)
    near = ndimage.distance_transform_edt(~sinus) * spacing
    cups = np.argwhere((local == Tissue.MEDULLA) & (near > 2) & (near < 8))
    if not len(cups):
        return
    for cup in cups[rng.integers(0, len(cups), rng.integers(4, 9))] + corner:
        path = spline_path([pelvis, cup.astype(float)])
        radii = np.full(len(path), rng.uniform(1, 1.8))
        radii[-round(4 / spacing) :] = rng.uniform(1.8, 3) * max(1, wide / 5)
        paint_tube(mask, path, radii / spacing)


def _paint_ureter(
    mask: np.ndarray, hilum: np.ndarray, side: str, trunk: Trunk, spacing: float, rng: np.random.Generator
) -> None:
    line = trunk.ureters[side]
    below = line[line[:, 0] < hilum[0] - 45 / spacing] if len(line) else line
    bend = hilum + np.array([-rng.uniform(12, 25), rng.uniform(-3, 6), -_LATERAL[side] * rng.uniform(2, 8)]) / spacing
    points = [hilum, bend, *below[::-1][:: round(20 / spacing)]]
    wide = rng.uniform(1.2, 2.4) if rng.random() < 0.85 else rng.uniform(2.4, 4.5)
    paint_tube(mask, spline_path(points), wide / spacing)


def _branches(
    mask: np.ndarray, gate: np.ndarray, inner: np.ndarray, radius: float, rng: np.random.Generator, spacing: float
) -> None:
    for end in inner[rng.integers(0, len(inner), rng.integers(2, 6))]:
        middle = (gate + end) / 2 + rng.normal(0, 2, 3) / spacing
        path = spline_path([gate, middle, end.astype(float)])
        paint_tube(mask, path, np.linspace(radius, 0.5 * radius, len(path)))


def _paint_vein(
    mask: np.ndarray, inner: np.ndarray, hilum: np.ndarray, side: str, trunk: Trunk, spacing: float,
    rng: np.random.Generator
) -> None:  # fmt: skip
    root = Trunk.at(trunk.cava, hilum[0] + rng.uniform(-5, 12) / spacing)
    gate = hilum + np.array([0, -rng.uniform(2, 6), -_LATERAL[side] * rng.uniform(4, 12)]) / spacing
    points = [root, gate]
    if side == LEFT:  # the left renal vein passes before the aorta
        over = Trunk.at(trunk.aorta, root[0]) + np.array([0, -rng.uniform(11, 15), 0]) / spacing
        points = [root, over, gate]
    radius = rng.uniform(3, 5.5) / spacing
    paint_tube(mask, spline_path(points), radius)
    _branches(mask, gate, inner, 0.6 * radius, rng, spacing)


def _paint_artery(
    mask: np.ndarray, inner: np.ndarray, hilum: np.ndarray, side: str, trunk: Trunk, spacing: float,
    rng: np.random.Generator
) -> None:  # fmt: skip
    root = Trunk.at(trunk.aorta, hilum[0] + rng.uniform(0, 22) / spacing)
    gate = hilum + np.array([rng.uniform(-8, 8), rng.uniform(-4, 4), -_LATERAL[side] * rng.uniform(4, 14)]) / spacing
    points = [root, (root + gate) / 2 + rng.normal(0, 3, 3) / spacing, gate]
    if side == RIGHT:  # the right renal artery passes behind the cava
        behind = Trunk.at(trunk.cava, (root[0] + gate[0]) / 2) + np.array([0, rng.uniform(11, 15), 0]) / spacing
        points = [root, behind, gate]
    radius = rng.uniform(1.8, 3.2) / spacing
    paint_tube(mask, spline_path(points), radius)
    _branches(mask, gate, inner, 0.7 * radius, rng, spacing)
