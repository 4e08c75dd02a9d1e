"""Renal pelvis, calyces, stones and stent of a made kidney."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..fields import spline_path
from .branching import Tube, connected, grouped
from .parenchyma import Kidney, spread

# Radii in mm of pelvis, infundibulum and calyx; our choice, after usual CT urograms.
_RADII_MM = {
    "collapsed": ((1.0, 2.0), (0.5, 0.8), (0.8, 1.4)),
    "normal": ((3.0, 6.0), (0.9, 1.7), (1.8, 3.0)),
    "dilated": ((8.0, 15.0), (3.0, 6.0), (5.0, 10.0)),
}


@dataclass(frozen=True)
class CollectingSystem:
    """Tubes of one renal pelvis: `funnel` runs from inside the sinus to the ureter's beginning `outlet` (3,) voxels."""

    funnel: Tube
    calyces: tuple[Tube, ...]
    outlet: np.ndarray

    @property
    def tubes(self) -> tuple[Tube, ...]:
        """Funnel and calyces."""
        return (self.funnel, *self.calyces)


def grow_collecting_systems(kidney: Kidney, rng: np.random.Generator) -> list[CollectingSystem]:
    """One system, or two (upper and lower) in a duplicated kidney."""
    plan = kidney.plan.collecting
    tips = (
        kidney.tips if len(kidney.tips) else kidney.into_sinus(kidney.sinus_points[spread(kidney.sinus_points, 7, rng)])
    )
    tips = tips[spread(tips, 12, rng)]
    parts = grouped(tips, kidney.height(tips), 2 if plan.is_duplicated else 1)
    return [_grow_system(kidney, tips[part], 0.0 if len(parts) == 1 else (2 * i - 1) * 10.0, rng)
            for i, part in enumerate(parts)]  # fmt: skip


def _grow_system(kidney: Kidney, tips: np.ndarray, up_mm: float, rng: np.random.Generator) -> CollectingSystem:
    plan, spacing = kidney.plan.collecting, kidney.spacing
    wide, neck, cup = (rng.uniform(*limits) for limits in _RADII_MM[plan.width])
    mouth = kidney.hilum + (kidney.backward * rng.uniform(2, 5) + kidney.upward * up_mm) / spacing
    inner = kidney.into_sinus((0.6 * kidney.center + 0.4 * mouth + kidney.upward * up_mm / 2 / spacing)[None])[0]
    out_mm = rng.uniform(6, 12) if plan.is_extrarenal else -rng.uniform(0, 4)
    pelvis = mouth + kidney.outward * out_mm / spacing
    down = np.array([-rng.uniform(12, 20), 0, 0]) / spacing
    outlet = pelvis + kidney.outward * rng.uniform(6, 10) / spacing + down
    calyces = []
    for part in grouped(tips, kidney.height(tips), plan.majors):
        calyces += _major(kidney, inner, tips[part], neck, cup, rng)
    return CollectingSystem(_funnel(inner, pelvis, outlet, wide, plan.ureter_mm / 2, spacing), tuple(calyces), outlet)


def _funnel(
    inner: np.ndarray, pelvis: np.ndarray, outlet: np.ndarray, wide: float, ureter: float, spacing: float
) -> Tube:
    """Widest at `pelvis`, tapering to the ureter."""
    path = spline_path([inner, pelvis, outlet])
    away = np.linalg.norm(path - pelvis, axis=1) * spacing
    after = np.arange(len(path)) > away.argmin()
    end = np.where(after, min(ureter, wide), 0.6 * wide)
    return Tube(path, end + (wide - end) * np.exp(-((away / (5 + wide)) ** 2)))


def _major(
    kidney: Kidney, start: np.ndarray, tips: np.ndarray, neck: float, cup: float, rng: np.random.Generator
) -> list[Tube]:
    """A major calyx from the pelvis with the minor ones that cup its tips."""
    node = kidney.into_sinus((0.5 * start + 0.5 * tips.mean(0))[None])[0]
    path = spline_path([start, node])
    tubes = [Tube(path, np.full(len(path), 1.4 * neck))]
    for tip in tips:
        path = spline_path([node, (node + tip) / 2 + rng.normal(0, 1, 3) / kidney.spacing, tip])
        from_tip = np.linalg.norm(path - tip, axis=1) * kidney.spacing
        width = cup * rng.uniform(0.7, 1.2)
        tubes.append(Tube(path, neck + max(0.0, width - neck) * np.exp(-((from_tip / 3.0) ** 2))))
    return tubes


def draw_stones(kidney: Kidney, systems: list[CollectingSystem], rng: np.random.Generator) -> list[Tube]:
    """The plan's stones as short tubes: most lie in a calyx, others in the pelvis; a staghorn fills the tubes."""
    plan, spacing = kidney.plan.collecting, kidney.spacing
    stones = []
    for diameter in plan.stones_mm:
        system = systems[rng.integers(len(systems))]
        tube = system.calyces[rng.integers(len(system.calyces))] if rng.random() < 0.7 else system.funnel
        place = tube.path[-1] if tube is not system.funnel else tube.path[rng.integers(len(tube.path))]
        path = spline_path([place, place + rng.normal(0, 0.25 * diameter / spacing / 1.7, 3)])
        stones.append(Tube(path, np.full(len(path), 0.4 * diameter)))
    if plan.is_staghorn:
        stones += [Tube(tube.path, np.maximum(0.85 * tube.radii, 2.0)) for tube in systems[0].tubes]
    return stones


def stent_path(kidney: Kidney, system: CollectingSystem, ureter: np.ndarray) -> np.ndarray:
    """A double-J stent: a loop in the pelvis, the ureter, a loop at its lower end; (n, 3) voxels."""
    turn = np.linspace(0, 1.6 * np.pi, 24)[:, None]
    radius = 5.0 / kidney.spacing
    loop = np.cos(turn) * kidney.upward + np.sin(turn) * kidney.outward
    upper = system.funnel.path[0] + radius * (loop - loop[0])
    ring = np.cos(turn) * np.array([0.0, 0, 1]) + np.sin(turn) * np.array([0.0, -1, 0])
    lower = ureter[-1] + 1.4 * radius * (ring - ring[0])
    return connected(np.concatenate([upper[::-1], system.funnel.path, ureter, lower]))
