"""Aorta and cava with the iliac vessels, redrawn as smooth tubes of adult calibre along the atlas's centre lines.

Calibres: aorta 16-28 mm, rarely an aneurysm; cava 18-30 mm wide and flattened; common iliac arteries 8-13 mm: our
choice within what abdominal CT shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..tissues import Tissue
from .scene import Scene
from .tubes import Tube, tube
from .vessel_lines import Fork, follow

_ANEURYSM_SHARE = 0.03
_PLAQUE_SHARE = 0.4
_BONES = (Tissue.BONE, Tissue.MARROW, Tissue.DISC)


@dataclass(frozen=True)
class GreatVessels:
    """Paths and radii (voxels) of the painted vessels, one array a branch; `stale` marks the atlas's own vessel voxels
    that were not painted again (renal vessels, ragged rims)."""

    aorta: Fork
    cava: Fork
    aorta_radii: tuple[np.ndarray, np.ndarray]
    stale: np.ndarray

    @property
    def aorta_trunk_radii(self) -> np.ndarray:
        """Radii along `aorta.trunk`."""
        return self.aorta_radii[0][-len(self.aorta.trunk) :]


def redraw_great_vessels(scene: Scene) -> GreatVessels | None:
    """Paints aorta, cava and iliac vessels anew; None, with nothing changed, where the atlas does not show them."""
    artery, vein = (scene.tissues == kind for kind in (Tissue.ARTERY, Tissue.VEIN))
    aorta, cava = (follow(mask, scene.marks, scene.spacing) for mask in (artery, vein))
    if aorta is None or cava is None:
        return None
    aorta_radii = _alike(scene, aorta, _aorta_radii)
    aorta = Fork(tuple(_off_spine(scene, p, r) for p, r in zip(aorta.branches, aorta_radii, strict=True)), aorta.split)
    cava_radii = _alike(scene, cava, _cava_radii)
    walls = np.concatenate(aorta.branches), np.concatenate(aorta_radii)
    cava = Fork(
        tuple(_off_arteries(scene, p, r, *walls) for p, r in zip(cava.branches, cava_radii, strict=True)), cava.split
    )
    scene.tissues[artery | vein] = Tissue.FAT
    flat = np.clip(scene.rng.uniform(0.5, 1.0), None, 0.95)
    tubes = [_tube(scene, p, r, flat) for p, r in zip(cava.branches, cava_radii, strict=True)]
    _paint(scene, tubes, Tissue.VEIN)
    for path in cava.branches:
        # A vein pressed flat between artery and spine stays open.
        core = _tube(scene, path, np.full(len(path), max(scene.voxels(1.6), 0.9)), 1.0)
        if core is not None:
            scene.tissues[core.box][core.depth > 0] = Tissue.VEIN
    tubes = [_tube(scene, p, r, 1.0) for p, r in zip(aorta.branches, aorta_radii, strict=True)]
    _paint(scene, tubes, Tissue.ARTERY)
    stale = (artery | vein) & (scene.tissues == Tissue.FAT)
    return GreatVessels(aorta, cava, aorta_radii, stale)


def _alike(scene: Scene, fork: Fork, radii: Callable[[Scene, np.ndarray, int], np.ndarray]) -> tuple[np.ndarray, ...]:
    """Radii of both branches from the same draws, so that the trunk that they share is equally wide."""
    state = scene.rng.bit_generator.state
    drawn = []
    for path in fork.branches:
        scene.rng.bit_generator.state = state
        drawn.append(radii(scene, path, fork.split))
    return tuple(drawn)


def _aorta_radii(scene: Scene, path: np.ndarray, split: int) -> np.ndarray:
    rng = scene.rng
    wide = rng.uniform(8.3, 13.0)
    narrow = wide * rng.uniform(0.72, 0.92)
    iliac = rng.uniform(4.0, 6.5)
    over = np.clip((path[:, 0] - split) * scene.spacing / 220, 0, 1)
    radii = np.where(path[:, 0] >= split, narrow + (wide - narrow) * over, iliac)
    if rng.random() < _ANEURYSM_SHARE:
        center = split + scene.voxels(rng.uniform(20, 60))
        bulge = rng.uniform(5, 15) * np.exp(-(((path[:, 0] - center) * scene.spacing / 22) ** 2))
        radii = radii + bulge
    return scene.voxels(ndimage.gaussian_filter1d(radii, 5 / scene.spacing, mode="nearest"))


def _cava_radii(scene: Scene, path: np.ndarray, split: int) -> np.ndarray:
    rng = scene.rng
    radii = np.where(path[:, 0] >= split, rng.uniform(9, 14.5), rng.uniform(5, 7.5))
    waves = ndimage.gaussian_filter1d(rng.standard_normal(400), 12 / scene.spacing)
    waves = 0.1 * waves / waves.std()
    radii = radii * (1 + waves[(path[:, 0]).astype(int) % 400])
    return scene.voxels(ndimage.gaussian_filter1d(radii, 5 / scene.spacing, mode="nearest"))


def _off_spine(scene: Scene, path: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """The path moved forward, by 8 mm at most, where its tube would enter a vertebral body."""
    z = path[:, 0].astype(int)
    near = np.abs(path[:, 2] - scene.marks.middle[z]) < scene.voxels(22)
    deficit = np.where(near, path[:, 1] + radii - scene.marks.front[z], 0).clip(0, scene.voxels(8))
    return path - np.c_[0 * z, ndimage.gaussian_filter1d(deficit, 6 / scene.spacing, mode="nearest"), 0 * z]


def _off_arteries(
    scene: Scene, path: np.ndarray, radii: np.ndarray, arteries: np.ndarray, artery_radii: np.ndarray
) -> np.ndarray:
    """The path of a vein moved away from arteries that its tube would enter, within its slice.

    Where both cross it moves backwards: the left common iliac vein passes behind the right common iliac artery.
    """
    tree = cKDTree(arteries)
    for _ in range(3):
        away, index = tree.query(path)
        apart = path - arteries[index] + np.array([0, scene.voxels(3), 0])
        apart[:, 0] = 0
        apart /= np.linalg.norm(apart, axis=1).clip(1e-3)[:, None]
        deficit = (0.8 * radii + artery_radii[index] - away).clip(0, scene.voxels(6))
        path = path + ndimage.gaussian_filter1d(apart * deficit[:, None], 4 / scene.spacing, axis=0, mode="nearest")
    return path


def _tube(scene: Scene, path: np.ndarray, radii: np.ndarray, squash: float) -> Tube | None:
    return tube(scene.tissues.shape, path, radii, squash)


def _paint(scene: Scene, tubes: list[Tube | None], tissue: Tissue) -> None:
    """Over everything but bone; a vein also leaves arteries whole, as it is painted first."""
    for shape in tubes:
        if shape is not None:
            local = scene.tissues[shape.box]
            local[(shape.depth > 0) & (local != Tissue.AIR) & ~np.isin(local, _BONES)] = tissue


def add_plaque(scene: Scene, vessels: GreatVessels) -> None:
    """Calcified plaque in the wall of the aorta and, denser, of the iliac arteries, in some patients."""
    if scene.rng.random() > _PLAQUE_SHARE:
        return
    burden = scene.rng.uniform(-0.4, 0.9)
    patches = scene.grid.fine_noise(scene.rng.uniform(7, 14), scene.rng)
    thickness = max(scene.voxels(scene.rng.uniform(1, 2.5)), 0.6)
    for path, radii in zip(vessels.aorta.branches, vessels.aorta_radii, strict=True):
        shape = tube(scene.tissues.shape, path, radii)
        if shape is None:
            continue
        z = np.arange(shape.box[0].start, shape.box[0].stop)
        lower = np.clip((vessels.aorta.split + scene.voxels(60) - z) * scene.spacing / 60, -1, 1.5)
        rim = (shape.depth > 0) & (shape.depth < thickness)
        local = scene.tissues[shape.box]
        hard = patches[shape.box] > 2.0 - burden - 0.5 * lower[:, None, None]
        local[rim & hard & (local == Tissue.ARTERY)] = Tissue.PLAQUE
