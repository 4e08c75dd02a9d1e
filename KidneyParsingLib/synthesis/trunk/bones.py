"""Bone in detail: cortical shells, spongy bone of ribs and pelvis, spinal canal, spurs, and rarely metal."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..tissues import VERTEBRA_TISSUES, Tissue
from .scene import Scene
from .tubes import tube

_SPURS_SHARE = 0.4
_METAL_SHARE = 0.03


def detail_bones(scene: Scene) -> None:
    """Canal, shells, spongy bone; spurs and metal in some patients."""
    _fill_canal(scene)
    if scene.rng.random() < _SPURS_SHARE:
        _add_spurs(scene)
    _shell(scene)
    if scene.rng.random() < _METAL_SHARE:
        _add_screws(scene)


def _shell(scene: Scene) -> None:
    """Vertebrae keep MARROW within a shell; ribs and pelvis get trabeculae, as no tissue but spine may be MARROW."""
    tissues = scene.tissues
    marrow = tissues == Tissue.MARROW
    spine = scene.among(*VERTEBRA_TISSUES)
    core = ndimage.binary_erosion(spine, iterations=max(1, round(1.2 / scene.spacing)), border_value=1)
    tissues[marrow & ~core] = Tissue.BONE
    bone = (tissues == Tissue.BONE) & ~marrow
    inner = ndimage.binary_erosion(bone, iterations=max(1, round(2.2 / scene.spacing)), border_value=1)
    spongy = scene.rng.random(int(inner.sum())) < scene.rng.uniform(0.06, 0.3)
    tissues[inner] = np.where(spongy, Tissue.BONE, Tissue.MUSCLE)


def _fill_canal(scene: Scene) -> None:
    """The thecal sac along the vertebral arches that enclose it, within epidural fat."""
    spine = scene.among(*VERTEBRA_TISSUES)
    points = []
    for z in np.flatnonzero(spine.any((1, 2))):
        hole = ndimage.binary_fill_holes(spine[z]) & ~spine[z]
        if 60 < hole.sum() * scene.spacing**2 < 900:
            points.append((z, *ndimage.center_of_mass(hole)))
    if len(points) < 3:
        return
    known = np.array(points)
    heights = np.arange(known[0, 0], known[-1, 0] + 1)
    path = np.stack([heights, *(np.interp(heights, known[:, 0], known[:, i]) for i in (1, 2))], axis=1)
    path[:, 1:] = ndimage.gaussian_filter1d(path[:, 1:], 8 / scene.spacing, axis=0, mode="nearest")
    scene.paint(
        tube(scene.tissues.shape, path, scene.voxels(scene.rng.uniform(6, 8.5)), 0.85), Tissue.FLUID, Tissue.MUSCLE
    )


def _add_spurs(scene: Scene) -> None:
    """Osteophytes at the front and side edges of vertebral bodies, close to aorta, cava and psoas."""
    rng, marks = scene.rng, scene.marks
    discs = np.flatnonzero((scene.tissues == Tissue.DISC).any((1, 2)))
    for _ in range(rng.integers(3, 14)):
        if not len(discs):
            return
        z = int(discs[rng.integers(len(discs))])
        aside = rng.choice((-1, 1)) * rng.uniform(8, 22)
        center = np.array([z, marks.front[z] + scene.voxels(0.012 * aside**2), marks.middle[z] + scene.voxels(aside)])
        tip = center + scene.voxels(rng.uniform(2, 7)) * np.array([rng.uniform(-1, 1), -0.6, np.sign(aside) * 0.8])
        spur = tube(scene.tissues.shape, np.linspace(center, tip, 6), np.linspace(3.5, 1.2, 6) / scene.spacing)
        scene.paint(spur, Tissue.BONE, Tissue.MUSCLE)


def _add_screws(scene: Scene) -> None:
    """Pedicle screws of two or three vertebrae joined by a rod each side."""
    rng, marks, mm = scene.rng, scene.marks, scene.voxels(1)
    start = rng.uniform(marks.kidney_span[0] - 40 * mm, marks.kidney_span[1] - 40 * mm)
    heights = start + mm * 34 * np.arange(rng.integers(2, 4))
    heights = heights[(heights > 0) & (heights < len(marks.front) - 1)]
    for sign in (-1, 1):
        heads = []
        for z in heights:
            front, middle = marks.front[int(z)], marks.middle[int(z)]
            heads.append(np.array([z, front + 62 * mm, middle + sign * 22 * mm]))
            tip = np.array([z, front + 12 * mm, middle + sign * 8 * mm])
            _put_metal(scene, np.linspace(heads[-1], tip, 40), rng.uniform(2, 3.2))
        if len(heads) > 1:
            _put_metal(scene, np.linspace(heads[0], heads[-1], 60), 3.0)


def _put_metal(scene: Scene, path: np.ndarray, radius_mm: float) -> None:
    shape = tube(scene.tissues.shape, path, scene.voxels(radius_mm))
    if shape is not None:
        local = scene.tissues[shape.box]
        local[(shape.depth > 0) & (local != Tissue.AIR)] = Tissue.METAL
