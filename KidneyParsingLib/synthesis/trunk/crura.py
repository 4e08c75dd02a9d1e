"""The crura of the diaphragm: muscle bands 3-10 mm thick beside and behind the aorta, the right one longer."""

from __future__ import annotations

import numpy as np

from ..fields import smooth_noise
from ..tissues import Tissue
from .great_vessels import GreatVessels
from .scene import Scene

_ANGLES = 48


def paint_crura(scene: Scene, vessels: GreatVessels) -> None:
    """Paints both crura from the lower chest to about L3 (right) and L2 (left) into the fat around the aorta."""
    rng = scene.rng
    hiatus = scene.marks.kidney_span[1] + scene.voxels(rng.uniform(-22, 8))
    top = hiatus + scene.voxels(rng.uniform(25, 45))
    path, radii = vessels.aorta.trunk, vessels.aorta_trunk_radii
    for sign, length, thick in ((-1, rng.uniform(85, 125), rng.uniform(4.5, 10)), (1, rng.uniform(60, 95), None)):
        band = _Band(scene, sign, thick or rng.uniform(3.5, 8.5), hiatus, hiatus - scene.voxels(length), top)
        for point, radius in zip(path, radii, strict=True):
            if band.bottom <= point[0] <= top:
                band.paint_slice(point, radius)


class _Band:
    """One crus: thickness and gap to the aorta by height and by angle around it (0 behind, pi in front)."""

    def __init__(self, scene: Scene, sign: int, thickness_mm: float, hiatus: float, bottom: float, top: float) -> None:
        self.scene, self.sign, self.hiatus, self.bottom, self.top = scene, sign, hiatus, bottom, top
        self.thickness = scene.voxels(thickness_mm)
        count = int(top - bottom) + 3
        self.uneven = 1 + 0.3 * self._noise(count, scene.rng)
        self.gap = scene.voxels(np.clip(0.3 + 1.2 * self._noise(count, scene.rng), 0, 4))
        self.reach = scene.rng.uniform(1.7, 2.4)

    def _noise(self, count: int, rng: np.random.Generator) -> np.ndarray:
        cell = max(2.0, self.scene.voxels(14))
        return smooth_noise((count, _ANGLES, 2), cell, rng)[..., 0]

    def paint_slice(self, point: np.ndarray, radius: float) -> None:
        """Paints the band around the aorta's `point` (z, y, x) of `radius` voxels."""
        window, angle, off = self._around(point, radius)
        row = int(point[0] - self.bottom)
        column = (angle / np.pi * (_ANGLES - 1)).round().astype(int)
        over = (point[0] - self.hiatus) / (self.top - self.hiatus)
        down = (self.hiatus - point[0]) / (self.hiatus - self.bottom)
        gap = self.gap[row][column] + self.scene.voxels(7) * max(over, 0)
        low, high = (0.25, self.reach * (1 - 0.3 * down)) if down > 0.18 else (0.25 + max(over, 0), np.pi)
        taper = np.sqrt(np.clip(1.3 - max(down, 0), 0, 1)) * np.clip((high - angle) / 0.5, 0, 1) ** 0.5
        thick = self.thickness * self.uneven[row][column] * taper
        band = (off > gap - 0.5) & (off <= gap + thick) & (angle >= low) & (angle <= high)
        local = self.scene.tissues[window]
        local[band & self.scene.free(window)] = Tissue.MUSCLE

    def _around(self, point: np.ndarray, radius: float) -> tuple[tuple, np.ndarray, np.ndarray]:
        """Window of the slice, angle in [0, pi] on this side (above pi on the other) and distance off the aorta."""
        reach = int(radius + 2.5 * self.thickness + self.scene.voxels(14))
        y0, x0 = (max(0, int(p) - reach) for p in point[1:])
        window = (int(point[0]), slice(y0, int(point[1]) + reach), slice(x0, int(point[2]) + reach))
        shape = self.scene.tissues[window].shape
        y, x = np.arange(shape[0])[:, None] + y0 - point[1], (np.arange(shape[1])[None, :] + x0 - point[2]) * self.sign
        angle = np.arctan2(x, y)
        beyond = angle < 0
        return window, np.where(beyond, 0, angle), np.where(beyond, -9, np.hypot(y, x) - radius)
