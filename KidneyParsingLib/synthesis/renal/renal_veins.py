"""Renal veins: tributaries in the sinus, the trunks to the cava with their courses around the aorta, tumor thrombus."""

from __future__ import annotations

import numpy as np

from ...anatomy import RIGHT
from ..fields import spline_path
from ..tissues import Tissue
from .branching import Tube, Vessel, connected, grow_crown, kept_before, kept_out_of, straight_radii
from .hilum import draw_crown, hilar_gate, leaf_points
from .landmarks import LATERAL, Landmarks
from .parenchyma import Kidney
from .renal_arteries import smallest_radius_mm


def grow_veins(
    kidney: Kidney, landmarks: Landmarks, tissues: np.ndarray, rng: np.random.Generator
) -> list[list[Vessel]]:
    """One tree for every course of the plan; the first vessel starts in the cava. A second vein has no tributaries."""
    plan = kidney.plan.vein
    trees = []
    for index, course in enumerate(plan.courses):
        share = 1.0 if len(plan.courses) == 1 else (0.85, 0.6)[index]
        trunk = _trunk(course, index, share * plan.diameter_mm / 2, kidney, landmarks, tissues, rng)
        trees.append([trunk] if index else _with_tributaries(trunk, kidney, rng))
    return trees


def _with_tributaries(trunk: Vessel, kidney: Kidney, rng: np.random.Generator) -> list[Vessel]:
    ends = leaf_points(kidney, int(rng.integers(22, 34)), rng)
    if len(ends) < 6:
        return [trunk]
    # Interlobar veins are seen about half way into the columns.
    ends = kidney.into_sinus(ends) * 0.5 + ends * 0.5
    crown = draw_crown(kidney, ends, rng.uniform(3, 6), rng)
    split_at = len(trunk.path) - round(rng.uniform(1, 6) / kidney.spacing * 2)
    return grow_crown(trunk, crown, split_at, kidney.spacing, rng, smallest_radius_mm(kidney.spacing))


def _trunk(
    course: str, index: int, radius_mm: float, kidney: Kidney, landmarks: Landmarks, tissues: np.ndarray,
    rng: np.random.Generator
) -> Vessel:  # fmt: skip
    """From the cava's middle to a point before the hilum; a second one lies lower."""
    spacing = kidney.spacing
    gate = hilar_gate(kidney, rng.uniform(2, 8), rng.uniform(3, 6))
    gate = gate - np.array([index * rng.uniform(8, 14), 0, 0]) / spacing
    lower = rng.uniform(15, 30) if course == "retroaortic" else -rng.uniform(-5, 8)
    root = landmarks.cava.at(gate[0] - lower / spacing)
    narrow_mm, around = radius_mm, []
    if kidney.side != RIGHT:
        narrow_mm, around = _around_aorta(course, root[0], radius_mm, kidney, landmarks, tissues)
    last = around[-1] if around else root
    bend = (last + gate) / 2 + rng.normal(0, 2, 3) / spacing
    path = connected(spline_path([root, *around, bend, gate]))
    if course == "preaortic":
        path = kept_before(path, landmarks.before_aorta, narrow_mm / spacing)
    else:
        path = kept_before(path, landmarks.front, (0.6 if course == "direct" else 0.2) * radius_mm / spacing)
    path = kept_out_of(path, kidney.solid, kidney.corner, radius_mm / spacing)
    radii = straight_radii(path, radius_mm)
    if around:
        away = np.linalg.norm(path - around[0], axis=1) * spacing
        radii = radius_mm - (radius_mm - narrow_mm) * np.exp(-((away / 9) ** 2))
    return Vessel(path, radii, radius_mm)


def _around_aorta(
    course: str, z: float, radius_mm: float, kidney: Kidney, landmarks: Landmarks, tissues: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    """Radius (mm) at the aorta and the points that the left vein passes there, from the cava outwards."""
    spacing = kidney.spacing
    aorta, reach = landmarks.aorta.at(z), landmarks.aorta.radius_at(z)
    narrow = radius_mm * kidney.plan.vein.narrowing / spacing
    beside = aorta + np.array([0, -0.4 * reach, LATERAL[kidney.side] * (reach + 6 / spacing)])
    if course == "retroaortic":
        narrow = 0.5 * radius_mm / spacing
        return narrow * spacing, [aorta + np.array([0, reach + narrow, 0]), beside + np.array([0, 0.8 * reach, 0])]
    room = _room_before(aorta - np.array([0, reach, 0]), tissues)
    narrow = min(narrow, max(0.5 * room, 0.4 * radius_mm / spacing))
    return narrow * spacing, [aorta - np.array([0, reach + max(narrow, 1.0), 0]), beside]


def _room_before(point: np.ndarray, tissues: np.ndarray) -> float:
    """Voxels between a point of the aorta's front and the superior mesenteric artery before it (inf: none there)."""
    z, y, x = (int(round(float(v))) for v in point)
    column = tissues[min(max(z, 0), len(tissues) - 1), max(0, y - 20) : max(1, y - 1), max(0, x - 2) : x + 3]
    rows = np.flatnonzero((column == Tissue.OTHER_ARTERY).any(1))
    return float(min(20, y) - rows[-1]) if len(rows) else np.inf


def thrombus_tubes(tree: list[Vessel], landmarks: Landmarks, spacing: float, rng: np.random.Generator) -> list[Tube]:
    """What a tumor thrombus fills: the vein from its first tributaries on, and a tongue of 5-60 mm in the cava."""
    tubes = [Tube(v.path, 0.9 * v.radii) for v in tree if v.parent in (-1, 0)]
    root = tree[0].path[0]
    tongue = landmarks.cava.points
    tongue = tongue[(tongue[:, 0] >= root[0]) & (tongue[:, 0] <= root[0] + rng.uniform(5, 60) / spacing)]
    if len(tongue) > 1:
        wide = landmarks.cava.radius_at(root[0]) * spacing * rng.uniform(0.5, 0.9)
        tubes.append(Tube(connected(tongue), straight_radii(connected(tongue), wide)))
    return tubes
