"""Renal arteries: from the aorta's side wall to the hilum or a pole, divisions, segmental and interlobar arteries."""

from __future__ import annotations

import numpy as np

from ...anatomy import RIGHT
from ..fields import spline_path
from .branching import Vessel, grow_crown, grow_fan, kept_before, kept_out_of, straight_radii
from .hilum import draw_crown, hilar_gate, leaf_points, pole_points
from .landmarks import LATERAL, Landmarks
from .parenchyma import Kidney
from .variants import ArteryPlan


def grow_arteries(kidney: Kidney, landmarks: Landmarks, rng: np.random.Generator) -> list[list[Vessel]]:
    """One tree of vessels for every artery of the kidney's plan; the first vessel starts in the aorta."""
    return [_grow_artery(plan, kidney, landmarks, rng) for plan in kidney.plan.arteries]


def smallest_radius_mm(spacing: float) -> float:
    """Radius below which a vessel is not painted: a line of voxels would be several times too wide."""
    return max(0.35, 0.3 * spacing)


def _grow_artery(plan: ArteryPlan, kidney: Kidney, landmarks: Landmarks, rng: np.random.Generator) -> list[Vessel]:
    smallest = smallest_radius_mm(kidney.spacing)
    if plan.target != "hilum":
        entry, ends = pole_points(kidney, plan.target, int(rng.integers(3, 6)), rng)
        return grow_fan(_trunk(plan, kidney, landmarks, entry, rng), ends, kidney.spacing, rng, smallest)
    gate = hilar_gate(kidney, rng.uniform(0, 6), rng.uniform(-1, 2)) + kidney.upward * rng.normal(0, 4) / kidney.spacing
    trunk = _trunk(plan, kidney, landmarks, gate, rng)
    is_main = plan.diameter_mm >= 4.5
    ends = leaf_points(kidney, int(rng.integers(22, 33) if is_main else rng.integers(6, 11)), rng)
    if len(ends) < 6:
        return [trunk]
    before_mm = rng.uniform(15, 30) if plan.is_prehilar else rng.uniform(2, 8)
    split_at = len(trunk.path) - round(before_mm / kidney.spacing * 2)
    crown = draw_crown(kidney, ends, rng.uniform(0.5, 2.5), rng)
    return grow_crown(trunk, crown, split_at, kidney.spacing, rng, smallest)


def _trunk(
    plan: ArteryPlan, kidney: Kidney, landmarks: Landmarks, gate: np.ndarray, rng: np.random.Generator
) -> Vessel:
    """From the aorta's middle through its side wall to `gate`, slightly down and back, before spine and psoas."""
    spacing, side, radius = kidney.spacing, kidney.side, plan.diameter_mm / 2 / kidney.spacing
    aorta = landmarks.aorta.at(gate[0] + plan.level_mm / spacing)
    reach = landmarks.aorta.radius_at(aorta[0]) + 4 / spacing
    exit_point = aorta + np.array([0, rng.uniform(-3, 3) / spacing, LATERAL[side] * reach])
    points = [aorta, exit_point]
    if side == RIGHT:
        points.append(_beside_cava(plan, landmarks, (exit_point[0] + gate[0]) / 2, radius))
    bend = (points[-1] + gate) / 2 + rng.normal(0, 3, 3) / spacing
    path = spline_path([*points, bend, gate])
    path = kept_before(path, landmarks.front, radius)
    path = kept_out_of(path, kidney.solid, kidney.corner, radius)
    return Vessel(path, straight_radii(path, plan.diameter_mm / 2), plan.diameter_mm / 2)


def _beside_cava(plan: ArteryPlan, landmarks: Landmarks, z: float, radius: float) -> np.ndarray:
    """Behind the cava, seldom before it."""
    cava = landmarks.cava.at(z)
    away = landmarks.cava.radius_at(cava[0]) + radius + 1
    return np.array([z, cava[1] + (-away if plan.is_precaval else away), cava[2]])
