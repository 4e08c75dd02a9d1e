"""How vessels spread from the hilum through the sinus to the columns between the pyramids."""

from __future__ import annotations

import numpy as np

from .branching import Crown, grouped
from .parenchyma import Kidney, spread

_FRONT = np.array([0.0, -1.0, 0.0])


def hilar_gate(kidney: Kidney, out_mm: float, forward_mm: float) -> np.ndarray:
    """The point `out_mm` before the hilum and `forward_mm` towards the patient's front, (3,) voxels."""
    return kidney.hilum + (kidney.outward * out_mm + _FRONT * forward_mm) / kidney.spacing


def leaf_points(kidney: Kidney, count: int, rng: np.random.Generator) -> np.ndarray:
    """Up to `count` points (n, 3) far from each other in the columns, where interlobar vessels go."""
    points = kidney.columns if len(kidney.columns) >= 8 else kidney.sinus_points
    return points[spread(points, count, rng)]


def draw_crown(kidney: Kidney, ends: np.ndarray, forward_mm: float, rng: np.random.Generator) -> Crown:
    """Groups the ends of interlobar vessels into 3 or 4 anterior segments from pole to pole and one posterior; the
    anterior forks lie `forward_mm` before the middle of the sinus."""
    gates = kidney.into_sinus(ends)
    back = (ends - kidney.center) @ kidney.backward
    height = kidney.height(ends)
    is_polar = np.abs(height) > 0.6 * np.abs(height).max()
    posterior = np.argsort(np.where(is_polar, -np.inf, back))[-max(2, len(ends) // 4) :]
    rest = np.setdiff1d(np.arange(len(ends)), posterior)
    groups = [rest[part] for part in grouped(rest, height[rest], int(rng.integers(3, 5)))] + [posterior]
    forks = [_fork(kidney, gates[group], forward_mm if group is not posterior else -4.0) for group in groups]
    return Crown(np.array(forks), tuple(gates[g] for g in groups), tuple(ends[g] for g in groups))


def _fork(kidney: Kidney, gates: np.ndarray, forward_mm: float) -> np.ndarray:
    middle = 0.55 * gates.mean(0) + 0.45 * kidney.hilum - kidney.backward * forward_mm / kidney.spacing
    return kidney.into_sinus(middle[None])[0]


def pole_points(kidney: Kidney, target: str, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The point (3,) of the kidney's medial surface near its "upper" or "lower" pole, and ends (n, 3) behind it."""
    solid = np.argwhere(kidney.solid & ~kidney.lesion)[::5] + kidney.corner
    sign = 1 if target == "upper" else -1
    height = sign * kidney.height(solid)
    cap = solid[height > np.quantile(height, 0.86)]
    entry = cap[(cap @ kidney.outward - 0.02 * rng.random(len(cap))).argmax()]
    return entry.astype(float), cap[spread(cap, count, rng)].astype(float)
