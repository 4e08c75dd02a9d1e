"""Solid and hollow organs beside the bowel: liver and spleen of adult size, stomach, adrenals, gallbladder, pelvis."""

from __future__ import annotations

import numpy as np

from ..tissues import Tissue
from .scene import Scene
from .tubes import tube

_CHOLECYSTECTOMY_SHARE = 0.12
_ADENOMA_SHARE = 0.05


def grow_organs(scene: Scene) -> None:
    """Liver 1000-2200 ml, spleen 100-400 ml, rarely to 900 ml: our choice; the atlas's own are small."""
    rng = scene.rng
    spleen_ml = rng.uniform(400, 900) if rng.random() < 0.1 else rng.uniform(110, 390)
    _grow(scene, Tissue.SPLEEN, spleen_ml, 45)
    _grow(scene, Tissue.LIVER, rng.uniform(1000, 2200), 16)


def _grow(scene: Scene, organ: Tissue, target_ml: float, limit_mm: float) -> None:
    """Lets an organ grow evenly-unevenly into fat until it has its volume or has grown by `limit_mm`."""
    mask = scene.tissues == organ
    missing = round(target_ml * 1000 / scene.spacing**3) - int(mask.sum())
    if missing <= 0 or not mask.any():
        return
    grid = scene.grid
    away = grid.up(grid.away(grid.share(mask) >= 0.5) * (1 + 0.25 * grid.noise(40, scene.rng)))
    # Growth is dearer toward the spine, or a spleen would close around the kidney.
    columns = np.arange(mask.shape[2])
    center = float(columns @ mask.sum((0, 1)) / mask.sum())
    medial = (center - columns) * np.sign(center - float(np.median(scene.marks.middle)))
    away += 0.6 * scene.spacing * np.clip(medial, 0, None).astype(np.float32)
    away[~(scene.free() & (scene.depth > scene.habitus.wall_mm))] = np.inf
    near = away[away < limit_mm]
    if len(near) > missing:
        limit_mm = np.partition(near, missing)[missing]
    scene.tissues[away < limit_mm] = organ


def fill_stomach(scene: Scene) -> None:
    """A wall and what is in it: gas before food, fluid or contrast; sometimes collapsed."""
    rng, tissues = scene.rng, scene.tissues
    hollow = tissues == Tissue.STOMACH
    if not hollow.any():
        return
    deep = scene.grid.up(scene.grid.signed(scene.grid.share(hollow) >= 0.5))
    lumen = hollow & (deep > rng.uniform(2.5, 5))
    tissues[hollow] = Tissue.BOWEL_WALL
    if rng.random() < 0.1 or not lumen.any():
        return
    tissues[lumen] = rng.choice((Tissue.STOMACH, Tissue.BOWEL_FLUID, Tissue.BOWEL_CONTRAST), p=(0.5, 0.25, 0.25))
    rows = np.nonzero(lumen)[1]
    level = np.quantile(rows[:: max(1, len(rows) // 5000)], rng.choice((0, rng.uniform(0.1, 0.6))))
    lumen[:, int(np.ceil(level)) :] = False
    tissues[lumen] = Tissue.BOWEL_GAS


def redraw_adrenals(scene: Scene) -> None:
    """Adrenals as bodies with two thin limbs that open backwards, seldom with a nodule."""
    points = np.argwhere(scene.tissues == Tissue.ADRENAL)
    if not len(points):
        return
    scene.tissues[tuple(points.T)] = Tissue.FAT
    middle = scene.marks.middle[points[:, 0]]
    for side in (points[points[:, 2] < middle], points[points[:, 2] >= middle]):
        if len(side):
            _adrenal(scene, side.mean(0), float(np.sign(side[:, 2].mean() - middle.mean())))


def _adrenal(scene: Scene, center: np.ndarray, lateral: float) -> None:
    rng = scene.rng
    spread, length, height = rng.uniform(0.15, 0.5), rng.uniform(14, 24), rng.uniform(8, 14)
    radius = scene.voxels(rng.uniform(1.7, 2.9))
    for level in np.arange(-height, height, 0.75 * scene.spacing):
        apex = center + scene.voxels(1) * np.array([level, -length / 2, 0.2 * level * lateral])
        grown = length * np.sqrt(1 - (level / height) ** 2)
        for turn in (spread, -0.6 * spread):
            tip = apex + scene.voxels(grown) * np.array([0, np.cos(turn), np.sin(turn) * lateral])
            scene.paint(tube(scene.tissues.shape, np.linspace(apex, tip, 9), radius), Tissue.ADRENAL)
    if rng.random() < _ADENOMA_SHARE:
        blob = tube(scene.tissues.shape, center[None], scene.voxels(rng.uniform(5, 14)))
        scene.paint(blob, Tissue.ADRENAL, Tissue.ADRENAL)


def thin_out(scene: Scene) -> None:
    """Some patients have no gallbladder."""
    if scene.rng.random() < _CHOLECYSTECTOMY_SHARE:
        scene.tissues[scene.tissues == Tissue.GALLBLADDER] = Tissue.FAT


def ellipsoid(scene: Scene, center: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Squared relative distance of every voxel to `center` (z, y, x; voxels) by semi-axes in mm; 1 on the surface."""
    grids = np.ogrid[tuple(map(slice, scene.tissues.shape))]
    return sum(((g - c) * scene.spacing / a) ** 2 for g, c, a in zip(grids, center, axes, strict=True))


def fill_pelvis(scene: Scene) -> None:
    """Bladder with a muscle wall, and uterus or prostate behind it, at the lower end of the canvas."""
    rng, marks = scene.rng, scene.marks
    floor = marks.kidney_span[0] - scene.voxels(rng.uniform(150, 185))
    if floor < -scene.voxels(40):
        return
    level = int(np.clip(floor, 0, len(marks.front) - 1))
    center = np.array([floor, marks.front[level] - scene.voxels(rng.uniform(50, 75)), marks.middle[level]])
    axes = np.array([rng.uniform(22, 55), rng.uniform(22, 45), rng.uniform(28, 52)])
    free = scene.free() & (scene.depth > scene.habitus.wall_mm)
    away = ellipsoid(scene, center, axes)
    wall = 1 + 2 * rng.uniform(2, 5) / axes.mean()
    behind = center + scene.voxels(1) * np.array([rng.uniform(-10, 25), axes[1] + rng.uniform(18, 28), 0])
    organ = ellipsoid(scene, behind, np.array([rng.uniform(18, 40), rng.uniform(15, 28), rng.uniform(20, 35)]))
    scene.tissues[free & (organ < 1)] = Tissue.MUSCLE
    scene.tissues[free & (away < wall)] = Tissue.MUSCLE
    scene.tissues[free & (away < 1)] = Tissue.BLADDER_URINE
