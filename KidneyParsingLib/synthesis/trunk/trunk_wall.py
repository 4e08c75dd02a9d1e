"""The trunk's wall: where the trunk ends, its muscle, and the fat and skin around it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..fields import closed
from ..tissues import Tissue
from .coarse import CoarseGrid
from .habitus import Habitus
from .scene import Scene
from .trunk_marks import TrunkMarks

_GOES_ON = (Tissue.BONE, Tissue.MARROW, Tissue.DISC, Tissue.MUSCLE, Tissue.ARTERY, Tissue.VEIN)


def continue_ends(tissues: np.ndarray) -> None:
    """Where the atlas ends inside the canvas, spine, ribs, muscle and great vessels go on as mirrored, in place."""
    counts = np.count_nonzero(tissues, axis=(1, 2))
    known = np.flatnonzero(counts > 0.6 * np.median(counts[counts > 0])) if counts.any() else []
    if not len(known):
        return
    table = np.zeros(256, np.uint8)
    table[list(_GOES_ON)] = _GOES_ON
    low, high = known[0], known[-1]
    for z in (*range(low), *range(high + 1, len(tissues))):
        source = np.clip(2 * (low if z < low else high) - z, low, high)
        tissues[z] = table[tissues[source]]


def stretch_front(tissues: np.ndarray, marks: TrunkMarks, factor: float, spacing: float) -> None:
    """Stretches what lies 30 mm and more before the spine along y, in place: a deeper belly with kidneys, great vessels
    and ureters unmoved (in the pelvis those leave the spine forwards)."""
    rows = np.arange(tissues.shape[1])
    foremost = np.minimum.accumulate(marks.front[::-1])[::-1]
    below = np.clip(marks.kidney_span[0] - np.arange(len(foremost)), 0, 100 / spacing)
    for z, front in enumerate(foremost - 30 / spacing - 0.18 * below):
        source = np.where(rows < front, front - (front - rows) / factor, rows)
        tissues[z] = tissues[z][np.round(source).astype(int).clip(0, len(rows) - 1)]


def trunk_depth(tissues: np.ndarray, spacing: float) -> np.ndarray:
    """Distance in mm below the surface of the trunk within its muscle and rib wall (negative outside), float32.

    The labels are closed over the gaps between ribs and filled slice by slice; slices far smaller than their inner
    neighbour take its outline, as the trunk goes on where labels run out.
    """
    grid = CoarseGrid(tissues.shape, spacing, 8.0)
    shut = closed(grid.share(tissues > 0) > 0.2, 44 / grid.mm)
    shut = np.stack([ndimage.binary_fill_holes(plane) for plane in shut])
    middle = len(shut) // 2
    for order, step in ((range(middle + 1, len(shut)), -1), (range(middle - 1, -1, -1), 1)):
        for z in order:
            if shut[z].sum() < 0.9 * shut[z + step].sum():
                shut[z] = shut[z + step]
    soft = ndimage.gaussian_filter(shut.astype(np.float32), 0.8, mode="nearest")
    fine = CoarseGrid(tissues.shape, spacing)
    whole = (grid.up(soft) > 0.45) | (tissues > 0)
    return fine.up(fine.signed(fine.share(whole) >= 0.5))


def fill_wall(scene: Scene) -> None:
    """Gives all that is unlabelled in the trunk to fat, except its muscle wall; varies the thickness of muscles."""
    tissues, habitus, grid = scene.tissues, scene.habitus, scene.grid
    unlabelled = (scene.depth > 0) & (tissues == Tissue.AIR)
    share = ndimage.gaussian_filter(grid.share(tissues == Tissue.MUSCLE), 2.5 / grid.mm)
    uneven = grid.noise(45, scene.rng)
    muscle = grid.up(share + habitus.muscle + 0.05 * uneven) > 0.5
    wall = scene.depth < habitus.wall_mm * grid.up(np.clip(1 + 0.3 * uneven, 0.4, 1.8))
    tissues[unlabelled] = np.where((muscle | wall)[unlabelled], Tissue.MUSCLE, Tissue.FAT)
    tissues[(tissues == Tissue.MUSCLE) & ~(muscle | wall)] = Tissue.FAT


def streak_muscles(scene: Scene) -> None:
    """Sheets of fat between muscle fibres, patchy."""
    width = scene.habitus.streaks
    if width < 0.02:
        return
    sheets = np.abs(scene.grid.fine_noise(9, scene.rng)) < 1.5 * width
    sheets &= scene.grid.fine_noise(40, scene.rng) > 0.3 - 3 * width
    scene.tissues[sheets & (scene.tissues == Tissue.MUSCLE)] = Tissue.FAT


def cover_with_fat(tissues: np.ndarray, depth: np.ndarray, habitus: Habitus, spacing: float,
                   rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """Adds uneven subcutaneous fat and skin around the trunk, in place; returns the mask of the whole body."""
    grid = CoarseGrid(tissues.shape, spacing)
    uneven = np.clip(1 + 0.25 * grid.noise(130, rng), 0.4, 1.7)
    inside = depth > 0
    body = inside | (depth > -np.maximum(grid.up(habitus.subcutaneous_mm * uneven), 2 * spacing))
    tissues[body & ~inside] = Tissue.FAT
    tissues[inside & (tissues == Tissue.AIR)] = Tissue.FAT
    body = _rounded(body, spacing)
    tissues[body & (tissues == Tissue.AIR)] = Tissue.FAT
    tissues[_strands(grid, habitus, rng) & body & ~inside] = Tissue.MUSCLE
    tissues[body & ~ndimage.binary_erosion(body, border_value=1)] = Tissue.SKIN
    return body


def _rounded(body: np.ndarray, spacing: float) -> np.ndarray:
    """The body with the hollows of its surface filled: skin bridges what ribs and pelvis leave."""
    grid = CoarseGrid(body.shape, spacing, 10.0)
    shut = closed(grid.share(body) > 0.5, 90 / grid.mm)
    return body | (grid.up(ndimage.gaussian_filter(shut.astype(np.float32), 0.8, mode="nearest")) > 0.6)


def _strands(grid: CoarseGrid, habitus: Habitus, rng: np.random.Generator) -> np.ndarray:
    """Thin septa and vessels in the subcutaneous fat."""
    if habitus.subcutaneous_mm < 10:
        return np.zeros(grid.fine_shape, bool)
    return (np.abs(grid.fine_noise(16, rng)) < 0.03) & (grid.fine_noise(13, rng) > 0.8)
