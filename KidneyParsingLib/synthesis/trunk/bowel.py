"""Colon, duodenum and small bowel, laid anew through the cavity in every patient."""

from __future__ import annotations

import numpy as np

from ...anatomy import LEFT, RIGHT
from ..fields import paint_tube
from ..tissues import Tissue
from .bowel_loops import BOWEL, Contents, colon_filling, draw_contents, paint_loop, small_filling
from .great_vessels import GreatVessels
from .scene import Scene
from .trunk_marks import KidneyPlace
from .tubes import curve

_MAX_LOOPS = 60


def lay_bowel(scene: Scene, vessels: GreatVessels | None) -> None:
    """Small bowel first, then duodenum and colon, which keep their places before and beside the kidneys."""
    contents = draw_contents(scene.rng)
    grid = scene.grid
    open_cells = grid.share(scene.free((), *BOWEL) & (scene.depth > scene.habitus.wall_mm)) > 0.5
    room = grid.up(grid.signed(open_cells))
    _lay_small_bowel(scene, room, open_cells, contents)
    if vessels is not None:
        _lay_duodenum(scene, room, vessels, contents)
    _lay_colon(scene, room, open_cells, contents)


def _cavity(scene: Scene, open_cells: np.ndarray) -> np.ndarray:
    """Coarse cells that small bowel may fill: before the spine, below the stomach's middle."""
    grid, marks = scene.grid, scene.marks
    picks = np.minimum(np.arange(grid.shape[0]) * grid.factor, len(marks.front) - 1)
    front = (marks.front[picks] - scene.voxels(scene.rng.uniform(0, 12))) / grid.factor
    cavity = open_cells & (np.arange(grid.shape[1])[None, :, None] < front[:, None, None])
    low, high = marks.kidney_span
    top = low + scene.rng.uniform(0.45, 0.75) * (high - low)
    cavity[int(top / grid.factor) :] = False
    return cavity


def _lay_small_bowel(scene: Scene, room: np.ndarray, open_cells: np.ndarray, contents: Contents) -> None:
    grid, rng = scene.grid, scene.rng
    cavity = _cavity(scene, open_cells)
    empty, whole = cavity.copy(), max(int(cavity.sum()), 1)
    wide = rng.uniform(8.5, 14)
    for _ in range(_MAX_LOOPS):
        starts = np.argwhere(empty)
        if len(starts) < max(20, (1 - scene.habitus.bowel_fill) * whole):
            return
        walk = _walk(empty, starts[rng.integers(len(starts))], grid.mm, rng)
        path = curve((walk + 0.5) * grid.factor - 0.5, max(1.0, scene.voxels(3)))
        filling = small_filling(contents, rng)
        radius = rng.uniform(4.5, 7.5) if filling == Tissue.BOWEL_WALL else wide * rng.uniform(0.8, 1.25)
        paint_tube(empty_out := np.zeros_like(empty), curve(walk, 1.5), radius * 0.9 / grid.mm)
        empty &= ~empty_out
        waves = 1 + 0.1 * np.sin(np.arange(len(path)) * rng.uniform(0.3, 0.7) + rng.uniform(0, 6))
        fillings = [filling] * rng.integers(1, 4) + [small_filling(contents, rng)]
        paint_loop(scene, room, path, radius * waves, rng.uniform(1.8, 3), fillings)


def _walk(empty: np.ndarray, start: np.ndarray, mm: float, rng: np.random.Generator) -> np.ndarray:
    """Some coarse points a few cm apart, all within the empty cavity, each turning away from the step before."""
    points, step = [start.astype(float)], rng.standard_normal(3)
    for _ in range(rng.integers(3, 8)):
        turns = step / max(float(np.linalg.norm(step)), 1e-6) + rng.standard_normal((24, 3)) * 0.9
        turns *= (rng.uniform(22, 42, 24) / mm / np.linalg.norm(turns, axis=1))[:, None]
        ends = np.round(points[-1] + turns).astype(int)
        inside = ((ends >= 0) & (ends < empty.shape)).all(1)
        inside[inside] = empty[tuple(ends[inside].T)]
        if not inside.any():
            break
        step = turns[inside][0]
        points.append(ends[inside][0].astype(float))
    if len(points) < 2:
        points.append(points[0] + rng.uniform(-1, 1, 3) * 20 / mm)
    return np.array(points)


def _lay_duodenum(scene: Scene, room: np.ndarray, vessels: GreatVessels, contents: Contents) -> None:
    """Down between cava and right kidney, across before cava and aorta, up on the left side."""
    rng, mm = scene.rng, scene.voxels(1)
    right = scene.marks.kidneys[RIGHT]
    high, low = right.center[0] + mm * rng.uniform(0, 25), right.low[0] + mm * rng.uniform(-5, 25)

    def beside(line: np.ndarray, z: float, y: float, x: float) -> np.ndarray:
        point = line[np.abs(line[:, 0] - z).argmin()]
        return np.array([z, point[1] + mm * y, point[2] + mm * x])

    cava, aorta = vessels.cava.trunk, vessels.aorta.trunk
    ahead = -rng.uniform(16, 24)
    points = [
        beside(cava, high + mm * 15, -rng.uniform(30, 45), -rng.uniform(15, 25)),
        beside(cava, high, -rng.uniform(8, 18), -rng.uniform(22, 32)),
        beside(cava, (high + low) / 2, -rng.uniform(5, 14), -rng.uniform(24, 34)),
        beside(cava, low + mm * 6, -rng.uniform(8, 14), -rng.uniform(16, 24)),
        beside(cava, low, ahead, 0),
        beside(aorta, low + mm * rng.uniform(0, 8), ahead - 2, 0),
        beside(aorta, low + mm * rng.uniform(20, 40), -rng.uniform(5, 15), rng.uniform(20, 32)),
    ]
    path = curve(points, max(1.0, scene.voxels(3)))
    fillings = [small_filling(contents, rng) for _ in range(4)]
    paint_loop(scene, room, path, np.full(len(path), rng.uniform(8, 14)), rng.uniform(2, 3), fillings)


def _lay_colon(scene: Scene, room: np.ndarray, open_cells: np.ndarray, contents: Contents) -> None:
    rng = scene.rng
    wide = rng.uniform(14, 25)
    targets = _colon_targets(scene)
    deep = np.argwhere(open_cells & (scene.grid.share(room > 0.45 * wide) > 0.4))
    if len(deep) < 10:
        return
    cells = np.array(targets) / scene.grid.factor
    cells = cells[(cells[:, 0] > -8) & (cells[:, 0] < scene.grid.shape[0])]
    kept: list[np.ndarray] = []
    for cell in cells:
        point = deep[((deep - cell) ** 2 @ np.array([2.0, 1, 1])).argmin()]
        if not kept or np.abs(point - kept[-1]).max() > 2:
            kept.append(point)
    if not kept:
        return
    path = curve((np.array(kept) + 0.5) * scene.grid.factor - 0.5, max(1.0, scene.voxels(3)))
    radii = _haustra(len(path), wide, rng)
    fillings = [colon_filling(contents, rng) for _ in range(rng.integers(9, 16))]
    paint_loop(scene, room, path, radii, rng.uniform(1.8, 3.2), fillings)


def _haustra(count: int, wide: float, rng: np.random.Generator) -> np.ndarray:
    """Radii in mm along the colon: bulges every 3 cm or so, wider on the right, narrow and uneven on the left."""
    along = np.linspace(0, 1, count)
    taper = np.interp(along, (0, 0.35, 0.6, 1), (1.15, 1.0, 0.8, 0.75))
    phase = np.cumsum(rng.uniform(0.45, 0.85, count))
    slow = np.interp(along, np.linspace(0, 1, 12), rng.uniform(0.7, 1.2, 12))
    return (wide * taper * slow * (1 + 0.16 * np.sin(phase))).clip(6, 32)


def _colon_targets(scene: Scene) -> list[np.ndarray]:
    """Where the colon shall pass, in voxels; points outside the cavity are moved to its nearest cell later."""
    rng, mm = scene.rng, scene.voxels(1)
    kidneys, marks = scene.marks.kidneys, scene.marks
    right, left = kidneys[RIGHT], kidneys[LEFT]
    mid = float(np.median(marks.middle))
    belly = float(marks.front.mean()) - mm * rng.uniform(70, 100) * scene.habitus.belly
    sag = rng.uniform(0, 70)

    def by(kidney: KidneyPlace, z: float, y: float, x: float) -> np.ndarray:
        return np.array([z, kidney.center[1] + mm * y, kidney.center[2] + mm * x])

    ascending = [by(right, right.low[0] - mm * up, -rng.uniform(15, 40), -rng.uniform(8, 26)) for up in (75, 50, 25, 0)]
    flexure = by(right, right.center[0] + mm * rng.uniform(-15, 15), -rng.uniform(35, 60), -rng.uniform(0, 20))
    across = [
        np.array([right.center[0] - mm * (sag * s + rng.uniform(0, 15)), belly, mid + mm * x])
        for x, s in ((-75, 0.5), (-35, 0.9), (0, 1.0), (40, 0.8), (80, 0.3))
    ]
    splenic = by(left, left.high[0] + mm * rng.uniform(-35, 20), -rng.uniform(20, 45), rng.uniform(25, 45))
    descending = [
        by(left, left.center[0] + mm * z, -rng.uniform(-5, 25), rng.uniform(28, 45)) for z in (10, -25, -60, -95)
    ]
    low = left.low[0]
    sigmoid = [
        np.array([low - mm * z, marks.front.mean() - mm * y, mid + mm * x])
        for z, y, x in ((80, 30, 85), (110, 50, 55), (120, 45, 10 + rng.uniform(-30, 30)), (150, 5, 0), (190, -20, 0))
    ]
    return [*ascending, flexure, *across, splenic, *descending, *sigmoid]
