"""From SPL tissues to a whole patient: everything around the kidneys, every call another build and another bowel."""

from __future__ import annotations

import numpy as np

from ..tissues import Tissue
from .bones import detail_bones
from .bowel import lay_bowel
from .chest import fill_chest
from .coarse import CoarseGrid
from .crura import paint_crura
from .fluid import add_ascites, add_mass
from .great_vessels import GreatVessels, add_plaque, redraw_great_vessels
from .habitus import Habitus, draw_habitus
from .scene import Scene
from .small_vessels import add_mesenteric_vessels, add_nodes, add_retroperitoneal_vessels, smooth_visceral_vessels
from .surroundings import add_surroundings
from .trunk_marks import TrunkMarks, find_marks
from .trunk_wall import continue_ends, cover_with_fat, fill_wall, streak_muscles, stretch_front, trunk_depth
from .viscera import fill_pelvis, fill_stomach, grow_organs, redraw_adrenals, thin_out


def fill_body(tissues: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    """Completes SPL tissues (uint8, z, y, x; AIR where unlabelled) to a whole patient on a table, in place.

    `spacing` is in mm, isotropic. Aorta, cava, iliac vessels and bowel are laid anew; the atlas's kidneys and ureters
    stay where they are, its renal vessels are removed. Without a spine and two kidneys in the tissues only fat, wall,
    skin and surroundings are added. Deterministic for a given state of `rng`.
    """
    habitus = draw_habitus(rng)
    continue_ends(tissues)
    marks = find_marks(tissues, spacing)
    if marks is not None:
        stretch_front(tissues, marks, habitus.belly, spacing)
    depth = trunk_depth(tissues, spacing)
    if marks is not None:
        _fill_trunk(_window(tissues, depth, spacing, rng, habitus, marks))
    body = cover_with_fat(tissues, depth, habitus, spacing, rng)
    add_surroundings(tissues, body, spacing, rng)


def _fill_trunk(scene: Scene) -> None:
    scene.tissues[scene.tissues == Tissue.BOWEL_FLUID] = Tissue.AIR
    fill_wall(scene)
    vessels = redraw_great_vessels(scene)
    _reserve(scene, vessels)
    smooth_visceral_vessels(scene)
    thin_out(scene)
    grow_organs(scene)
    fill_chest(scene)
    streak_muscles(scene)
    scene.reserved = scene.tissues == Tissue.CORTEX
    if vessels is not None:
        paint_crura(scene, vessels)
    redraw_adrenals(scene)
    _reserve(scene, vessels)
    fill_stomach(scene)
    fill_pelvis(scene)
    lay_bowel(scene, vessels)
    scene.reserved = scene.tissues == Tissue.CORTEX
    if vessels is not None:
        add_retroperitoneal_vessels(scene, vessels)
        add_mesenteric_vessels(scene, vessels)
        add_nodes(scene, vessels)
        add_plaque(scene, vessels)
    add_mass(scene)
    add_ascites(scene)
    detail_bones(scene)


def _window(
    tissues: np.ndarray, depth: np.ndarray, spacing: float, rng: np.random.Generator, habitus: Habitus,
    marks: TrunkMarks,
) -> Scene:  # fmt: skip
    """The scene in the smallest window around the trunk; landmarks are moved into it."""
    spans = [np.flatnonzero((depth > 0).any(axes)) for axes in ((0, 2), (0, 1))]
    y, x = (slice(max(0, s[0] - 2), s[-1] + 3) for s in spans)
    corner = np.array([0, y.start, x.start])
    local = tissues[:, y, x]
    grid = CoarseGrid(local.shape, spacing)
    inner = np.ascontiguousarray(depth[:, y, x])
    return Scene(local, spacing, rng, habitus, grid, marks.moved(corner), inner, np.zeros(local.shape, bool))


def _reserve(scene: Scene, vessels: GreatVessels | None) -> None:
    """Keeps organs off the kidneys with their fat, off ureters, and off the atlas's renal vessels."""
    grid = scene.grid
    kidneys = scene.tissues == Tissue.CORTEX
    scene.reserved = kidneys | (scene.tissues == Tissue.URINE)
    if vessels is not None:
        scene.reserved |= vessels.stale
    fat_mm = scene.habitus.perirenal_mm
    if fat_mm > 1:
        scene.reserved |= grid.up(grid.away(grid.share(kidneys) >= 0.5)) < fat_mm
