"""One loop of bowel: a tube with a wall, filled segment by segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..fields import smooth_noise
from ..tissues import Tissue
from .scene import Scene
from .tubes import tube

BOWEL = (Tissue.BOWEL_WALL, Tissue.BOWEL_GAS, Tissue.BOWEL_FLUID, Tissue.BOWEL_CONTRAST, Tissue.STOOL)


@dataclass(frozen=True)
class Contents:
    """What one patient's bowel holds: shares of oral contrast, gas, stool and collapsed loops, each 0 to 1."""

    contrast: float
    gas: float
    stool: float
    collapsed: float


def draw_contents(rng: np.random.Generator) -> Contents:
    """No oral contrast in half of the patients, everywhere or in a few loops in the others."""
    kind = rng.random()
    contrast = 0.0 if kind < 0.5 else rng.uniform(0.7, 1.0) if kind < 0.72 else rng.uniform(0.1, 0.45)
    return Contents(contrast, rng.uniform(0.05, 0.5), rng.uniform(0.3, 0.9), rng.uniform(0.05, 0.35))


def collapsed(radii: np.ndarray, fillings: list[Tissue], rng: np.random.Generator) -> np.ndarray:
    """Radii in mm along a loop, narrowed to 5-8 mm where its segment of `fillings` is collapsed."""
    segment = np.arange(len(radii)) * len(fillings) // max(len(radii), 1)
    empty = np.array([f == Tissue.BOWEL_WALL for f in fillings])[segment]
    narrow = np.where(empty, np.minimum(radii, rng.uniform(5, 8)), radii)
    return ndimage.gaussian_filter1d(narrow, 1.5, mode="nearest")


def paint_loop(
    scene: Scene, room: np.ndarray, path: np.ndarray, radii_mm: np.ndarray, wall_mm: float, fillings: list[Tissue]
) -> None:
    """Paints a tube over fat and other bowel; `fillings` share its length.

    `room` is the distance in mm to what bowel cannot enter, so that a loop pressed against an organ keeps its wall.
    """
    shape = tube(scene.tissues.shape, path, scene.voxels(collapsed(radii_mm, fillings, scene.rng)))
    if shape is None:
        return
    local = scene.tissues[shape.box]
    mine = (shape.depth > 0) & scene.free(shape.box, *BOWEL)
    lumen = mine & (np.minimum(shape.depth * scene.spacing, room[shape.box]) > wall_mm)
    local[mine] = Tissue.BOWEL_WALL
    segment = (shape.nearest.astype(int) * len(fillings)) // max(len(path), 1)
    for index, filling in enumerate(fillings):
        part = lumen & (segment == index)
        if filling != Tissue.BOWEL_WALL and part.any():
            _fill(local, part, filling, scene.spacing, scene.rng)


def _fill(local: np.ndarray, part: np.ndarray, filling: Tissue, spacing: float, rng: np.random.Generator) -> None:
    local[part] = filling
    if filling == Tissue.STOOL:
        mottle = smooth_noise(local.shape, rng.uniform(5, 9) / spacing, rng)
        local[part & (mottle > rng.uniform(0.9, 1.6))] = Tissue.BOWEL_GAS
    if filling == Tissue.BOWEL_GAS:
        return
    share = rng.choice((0.0, rng.uniform(0.05, 0.5)), p=(0.6, 0.4))
    if share:
        # Gas lies in front: the patient is on the back.
        rows = np.nonzero(part)[1]
        part[:, int(np.quantile(rows, share)) :] = False
        local[part] = Tissue.BOWEL_GAS


def small_filling(contents: Contents, rng: np.random.Generator) -> Tissue:
    """What a loop of small bowel holds."""
    if rng.random() < contents.contrast:
        return Tissue.BOWEL_CONTRAST
    if rng.random() < contents.collapsed:
        return Tissue.BOWEL_WALL
    return Tissue.BOWEL_GAS if rng.random() < 0.25 * contents.gas else Tissue.BOWEL_FLUID


def colon_filling(contents: Contents, rng: np.random.Generator) -> Tissue:
    """What a segment of colon holds."""
    if rng.random() < 0.8 * contents.contrast:
        return Tissue.BOWEL_CONTRAST
    if rng.random() < 0.5 * contents.collapsed:
        return Tissue.BOWEL_WALL
    if rng.random() < contents.stool:
        return Tissue.STOOL
    return Tissue.BOWEL_GAS if rng.random() < 0.3 + contents.gas else Tissue.BOWEL_FLUID
