"""Free fluid and cystic masses in the belly: rare, but taken for kidney or tumor where a network never saw them."""

from __future__ import annotations

import numpy as np

from ..tissues import Tissue
from .scene import Scene
from .viscera import ellipsoid

_ASCITES_SHARE = 0.08
_MASS_SHARE = 0.04


def add_ascites(scene: Scene) -> None:
    """Fluid between the organs of the peritoneal cavity, filling it or only its lower parts."""
    rng = scene.rng
    if rng.random() > _ASCITES_SHARE:
        return
    y = np.arange(scene.tissues.shape[1])[None, :, None]
    behind = scene.marks.front[:, None, None] + scene.voxels(rng.uniform(0, 12))
    # Beside liver and spleen the cavity reaches further back than before the spine.
    organs = scene.grid.up(scene.grid.away(scene.grid.share(scene.among(Tissue.LIVER, Tissue.SPLEEN)) > 0.5))
    cavity = scene.free() & ((y < behind) | (organs < 14)) & (scene.depth > scene.habitus.wall_mm)
    kidneys = scene.grid.up(scene.grid.away(scene.grid.share(scene.tissues == Tissue.CORTEX) > 0.3))
    cavity &= kidneys > rng.uniform(0, 10)
    amount = rng.uniform(-0.6, 2.0)
    scene.tissues[cavity & (scene.grid.fine_noise(35, rng) < amount)] = Tissue.FLUID


def add_mass(scene: Scene) -> None:
    """A cystic pelvic mass of 6-18 cm with a wall, pushing the bowel aside, in a few patients."""
    rng, marks = scene.rng, scene.marks
    if rng.random() > _MASS_SHARE:
        return
    axes = rng.uniform(30, 90) * rng.uniform(0.8, 1.2, 3)
    height = max(0.0, marks.kidney_span[0] - scene.voxels(rng.uniform(20, 110)))
    level = int(height)
    center = np.array([height, marks.front[level] - scene.voxels(axes[1] + 20), marks.middle[level]])
    center[2] += scene.voxels(rng.uniform(-40, 40))
    away = ellipsoid(scene, center, axes) * (1 + 0.1 * scene.grid.fine_noise(40, rng))
    bowel = scene.among(Tissue.BOWEL_WALL, Tissue.BOWEL_FLUID, Tissue.BOWEL_CONTRAST, Tissue.BOWEL_GAS, Tissue.STOOL)
    free = (scene.free() | bowel) & (scene.depth > scene.habitus.wall_mm)
    scene.tissues[free & (away < 1 + 2 * rng.uniform(2, 6) / axes.mean())] = Tissue.MUSCLE
    scene.tissues[free & (away < 1)] = Tissue.FLUID
