"""The ureter's way from the renal pelvis along the psoas and over the iliac vessels to the bladder."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..fields import spline_path
from .branching import Tube, connected, kept_before, kept_out_of
from .landmarks import LATERAL, Landmarks
from .parenchyma import Kidney


def grow_ureter(
    kidney: Kidney, outlet: np.ndarray, medial_mm: float, landmarks: Landmarks, rng: np.random.Generator
) -> Tube:
    """From `outlet` (3,) voxels down; a second ureter runs `medial_mm` beside the first and comes near it below."""
    radius = kidney.plan.collecting.ureter_mm / 2
    points = [*_on_psoas(kidney, outlet, radius, medial_mm, landmarks, rng), *_in_pelvis(kidney, landmarks, rng)]
    points = [p for p in points if p[0] < outlet[0] - 18 / kidney.spacing]
    if not points:
        points = [outlet - np.array([30 / kidney.spacing, 0, 0])]
    path = connected(spline_path([outlet, *_descending(points, 9 / kidney.spacing)]))
    path = kept_before(path, landmarks.cover, radius / kidney.spacing)
    path = kept_out_of(path, kidney.solid, kidney.corner, radius / kidney.spacing + 1)
    return Tube(path, _peristaltic(path, radius, kidney, rng))


def _descending(points: list[np.ndarray], step: float) -> list[np.ndarray]:
    """The points without those that do not lie at least `step` voxels below the one before."""
    kept = points[:1]
    for point in points[1:]:
        if point[0] <= kept[-1][0] - step:
            kept.append(point)
    return kept


def _on_psoas(
    kidney: Kidney, outlet: np.ndarray, radius: float, medial_mm: float, landmarks: Landmarks, rng: np.random.Generator
) -> list[np.ndarray]:
    """Points before the psoas every 22 mm, from below the outlet to above the iliac vessels, with kinks."""
    psoas, spacing, side = landmarks.psoas[kidney.side], kidney.spacing, kidney.side
    if not len(psoas.points):
        return []
    low = max(landmarks.brim[side], psoas.points[0, 0])
    heights = np.arange(outlet[0] - 35 / spacing, low, -22 / spacing)
    inward = rng.uniform(0.0, 0.6)
    kink = rng.normal(0, rng.uniform(1, 4), (len(heights), 2)) / spacing
    points = []
    for z, (dx, dy) in zip(heights, kink, strict=True):
        middle, half = psoas.at(z), psoas.radius_at(z)
        x = middle[2] - LATERAL[side] * (inward * half + medial_mm / spacing) + dx
        row = landmarks.front[tuple(np.clip(np.round([z, x]).astype(int), 0, np.array(landmarks.front.shape) - 1))]
        row = min(row, middle[1])
        points.append(np.array([z, row - (radius + 1.5) / spacing - abs(dy), x]))
    return points


def _in_pelvis(kidney: Kidney, landmarks: Landmarks, rng: np.random.Generator) -> list[np.ndarray]:
    """Along the side wall of the pelvis to the bladder, or as far as the atlas's ureter goes."""
    spacing, side = kidney.spacing, kidney.side
    line, bladder = landmarks.ureters[side], landmarks.bladder[side]
    below = line[line[:, 0] < landmarks.brim[side] - 12 / spacing]
    points = [point + rng.normal(0, 1.5, 3) / spacing for point in below[::-1][:: max(1, round(18 / spacing))]]
    if len(bladder):
        points = [p for p in points if p[0] > bladder[0] + 12 / spacing]
        points.append(bladder)
    return points


def _peristaltic(path: np.ndarray, radius: float, kidney: Kidney, rng: np.random.Generator) -> np.ndarray:
    """Radii (n,) mm with uneven width and collapsed parts of 20-60 mm, 1 mm wide."""
    per_mm = 2 / kidney.spacing
    waves = ndimage.gaussian_filter1d(rng.normal(0, 1, len(path)), 8 * per_mm, mode="wrap")
    radii = radius * (1 + 0.15 * waves / max(waves.std(), 1e-6))
    for _ in range(kidney.plan.collecting.collapsed_parts):
        start = int(rng.integers(0, max(1, len(path))))
        radii[start : start + int(rng.uniform(20, 60) * per_mm)] = 0.5
    return np.clip(ndimage.gaussian_filter1d(radii, 2 * per_mm, mode="nearest"), 0.5, 1.3 * radius)
