"""The lower chest: lungs with their domes and deep sinuses, mediastinum, heart, diaphragm, pleural effusion."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..tissues import Tissue
from .scene import Scene

_EFFUSION_SHARE = 0.05


def fill_chest(scene: Scene) -> None:
    """Fills what lies above the diaphragm, and paints the diaphragm where it borders on fat."""
    heights = np.flatnonzero((scene.tissues == Tissue.LIVER).any((1, 2)))
    if not len(heights):
        return
    over = _height_over_base(scene)
    room = scene.free() & (scene.depth > scene.rng.uniform(3, 7))
    lung = room & (over > 0)
    scene.tissues[room & (over <= 0) & (over > -scene.rng.uniform(2.5, 5)) & (scene.depth > 12)] = Tissue.MUSCLE
    scene.tissues[lung] = Tissue.LUNG
    _fill_mediastinum(scene, lung)
    _place_heart(scene, lung, heights[-1])
    if scene.rng.random() < _EFFUSION_SHARE:
        _add_effusion(scene)


def _height_over_base(scene: Scene) -> np.ndarray:
    """Height in mm over the lungs' base: domes over liver, stomach and spleen, deep sinuses along the wall, deepest
    behind."""
    rng, spacing = scene.rng, scene.spacing
    z, y = (np.arange(n, dtype=np.float32) for n in scene.tissues.shape[:2])
    dome = _organ_tops(scene) + rng.uniform(0, 8)
    behind = 0.35 + 0.65 / (1 + np.exp(-(y - scene.marks.front.mean()) * spacing / 20))[None, :, None]
    sinus = (1 - np.clip(scene.depth / rng.uniform(30, 55), 0, 1)) ** 1.5
    drop = rng.uniform(30, 85) * behind * sinus
    bumps = 4 * scene.grid.fine_noise(50, rng)
    return (z * spacing)[:, None, None] - dome[None] + drop + bumps


def _organ_tops(scene: Scene) -> np.ndarray:
    """Height in mm (y, x) of the highest organ below the diaphragm, sloping down beside the organs."""
    organs = scene.among(Tissue.LIVER, Tissue.STOMACH, Tissue.SPLEEN)
    covered = organs.any(0)
    top = (len(organs) - 1 - organs[::-1].argmax(0)) * scene.spacing
    away, nearest = ndimage.distance_transform_edt(~covered, return_indices=True)
    slope = top[tuple(nearest)] - 0.5 * scene.spacing * away
    slope = np.maximum(slope, top[covered].max() - 80)
    return ndimage.gaussian_filter(slope, scene.voxels(8)).astype(np.float32)


def _fill_mediastinum(scene: Scene, lung: np.ndarray) -> None:
    x = np.arange(scene.tissues.shape[2])
    half = scene.voxels(scene.rng.uniform(10, 20)) * (1 + 0.3 * scene.grid.fine_noise(30, scene.rng))
    aside = np.abs(x[None, None, :] - scene.marks.middle[:, None, None])
    scene.tissues[lung & (aside < half)] = Tissue.FAT


def _place_heart(scene: Scene, lung: np.ndarray, liver_top: int) -> None:
    rng = scene.rng
    z, y, x = np.ogrid[tuple(map(slice, scene.tissues.shape))]
    height = liver_top + scene.voxels(rng.uniform(8, 35))
    level = min(int(height), len(scene.marks.front) - 1)
    row = scene.marks.front[level] - scene.voxels(rng.uniform(45, 75))
    column = scene.marks.middle[level] + scene.voxels(rng.uniform(5, 32))
    axes = [scene.voxels(rng.uniform(*span)) for span in ((38, 60), (36, 52), (42, 62))]
    away = ((z - height) / axes[0]) ** 2 + ((y - row) / axes[1]) ** 2 + ((x - column) / axes[2]) ** 2
    away = away * (1 + 0.12 * scene.grid.fine_noise(40, rng))
    scene.tissues[lung & (away < 1.35)] = Tissue.FAT
    scene.tissues[lung & (away < 1)] = Tissue.HEART


def _add_effusion(scene: Scene) -> None:
    """Fluid in the lowest part of one or both lungs of the lying patient."""
    rows = np.flatnonzero((scene.tissues == Tissue.LUNG).any((0, 2)))
    if not len(rows):
        return
    z, y, x = np.ogrid[tuple(map(slice, scene.tissues.shape))]
    level = rows[-1] - scene.voxels(scene.rng.uniform(8, 45))
    low = y > level + 0.15 * (z - z.max() / 2) + scene.voxels(3) * scene.grid.fine_noise(25, scene.rng)
    side = np.sign(x - scene.marks.middle[:, None, None])
    chosen = scene.rng.choice((-1, 1, 0))
    scene.tissues[(scene.tissues == Tissue.LUNG) & low & ((side == chosen) | (chosen == 0))] = Tissue.FLUID
