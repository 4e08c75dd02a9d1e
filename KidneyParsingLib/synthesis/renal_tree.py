"""What enters and leaves a made kidney: collecting system and ureter, renal veins, renal arteries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..anatomy import LEFT, RIGHT
from .fields import paint_tube, spline_path
from .tissues import Tissue

# Lateral direction along x (x runs to the patient's left).
LATERAL = {RIGHT: -1, LEFT: 1}


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


def paint_tree(
    tissues: np.ndarray, local: np.ndarray, sinus: np.ndarray, corner: np.ndarray, side: str, trunk: Trunk,
    spacing: float, rng: np.random.Generator
) -> None:  # fmt: skip
    """Collecting system, ureter, renal vein and artery of one kidney, painted over fat, bowel and parenchyma."""
    inner = np.argwhere(sinus)
    if not len(inner):
        return
    medial = np.argsort(inner[:, 2] * LATERAL[side])
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
    bend = hilum + np.array([-rng.uniform(12, 25), rng.uniform(-3, 6), -LATERAL[side] * rng.uniform(2, 8)]) / spacing
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
    gate = hilum + np.array([0, -rng.uniform(2, 6), -LATERAL[side] * rng.uniform(4, 12)]) / spacing
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
    gate = hilum + np.array([rng.uniform(-8, 8), rng.uniform(-4, 4), -LATERAL[side] * rng.uniform(4, 14)]) / spacing
    points = [root, (root + gate) / 2 + rng.normal(0, 3, 3) / spacing, gate]
    if side == RIGHT:  # the right renal artery passes behind the cava
        behind = Trunk.at(trunk.cava, (root[0] + gate[0]) / 2) + np.array([0, rng.uniform(11, 15), 0]) / spacing
        points = [root, behind, gate]
    radius = rng.uniform(1.8, 3.2) / spacing
    paint_tube(mask, spline_path(points), radius)
    _branches(mask, gate, inner, 0.7 * radius, rng, spacing)
