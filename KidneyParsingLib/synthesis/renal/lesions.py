"""Lesions of a kidney: made tumors and cysts in a shape (1 kidney, 2 tumor, 3 cyst), and what a tumor is made of."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..fields import smooth_noise
from ..tissues import Tissue
from .variants import LesionPlan, TumorPlan

KIDNEY, TUMOR, CYST = 1, 2, 3


def with_lesions(shape: np.ndarray, plan: LesionPlan, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """The uint8 shape (z, y, x) with the plan's tumor and cysts where it has none of its own; grown where they reach
    beyond it."""
    has_tumor, has_cyst = ((shape == value).sum() * spacing**3 > 100 for value in (TUMOR, CYST))
    if plan.tumor and not has_tumor:
        shape = add_tumor(shape, plan.tumor, spacing, rng)
    for diameter in () if has_cyst and not plan.polycystic else plan.cysts_mm:
        # Polycystic kidneys are full of cysts; others carry theirs near the surface.
        level = rng.uniform(-2.5, 0.3) if plan.polycystic else rng.uniform(-0.8, 0.7)
        shape = _add_ball(shape, CYST, diameter, level, 0.03, spacing, rng)
    return shape


def add_tumor(shape: np.ndarray, plan: TumorPlan, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """The shape with one tumor, round to lobulated, exophytic to endophytic."""
    return _add_ball(shape, TUMOR, plan.diameter_mm, plan.exophytic, plan.lobulation, spacing, rng)


def _add_ball(
    shape: np.ndarray, value: int, diameter_mm: float, level: float, unevenness: float, spacing: float,
    rng: np.random.Generator
) -> np.ndarray:  # fmt: skip
    """An uneven ball whose centre lies `level` radii outside of the kidney's surface (negative: inside)."""
    radius = diameter_mm / 2 / spacing
    center = _center_near_surface(shape, level * radius, rng)
    reach = int(np.ceil(radius * 1.6)) + 1
    low = np.round(center).astype(int) - reach
    before = np.maximum(0, -low)
    after = np.maximum(0, low + 2 * reach + 1 - np.array(shape.shape))
    shape, low, center = np.pad(shape, list(zip(before, after, strict=True))), low + before, center + before
    window = tuple(slice(a, a + 2 * reach + 1) for a in low)
    ball = uneven_ball(window, center, radius, unevenness, rng) & (shape[window] != TUMOR if value == CYST else True)
    shape[window][ball] = value
    return shape


def uneven_ball(
    window: tuple[slice, ...], center: np.ndarray, radius: float, unevenness: float, rng: np.random.Generator
) -> np.ndarray:
    """Boolean mask of the window: a ball around `center` (z, y, x; voxels of what the window is of) whose radius
    (voxels) varies by `unevenness`."""
    squares = [(np.arange(w.start, w.stop) - c) ** 2 for w, c in zip(window, center, strict=True)]
    distance = np.sqrt(squares[0][:, None, None] + squares[1][:, None] + squares[2])
    return distance < radius * (1 + unevenness * smooth_noise(distance.shape, max(2.0, 0.8 * radius), rng))


def _center_near_surface(shape: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """A random point whose distance from the surface is about `level` voxels, outside if positive."""
    solid = shape > 0
    depth = ndimage.distance_transform_edt(solid)
    goal = min(max(1.0, -level), 0.9 * depth.max())
    points = np.argwhere((np.abs(depth - goal) < 1) & solid)
    start = points[rng.integers(len(points))].astype(float)
    if level <= 0:
        return start
    outward = start - np.argwhere(solid).mean(0)
    return start + outward / max(np.linalg.norm(outward), 1e-6) * level


def paint_lesions(
    local: np.ndarray, kidney: np.ndarray, plan: LesionPlan, spacing: float, rng: np.random.Generator
) -> None:
    """Paints cysts and tumors of the shape `kidney` into the tissues `local` of the same window, in place; tumors with
    necrosis, fat and calcium."""
    local[kidney == CYST] = Tissue.CYST
    tumor = kidney == TUMOR
    if not tumor.any():
        return
    local[tumor] = Tissue.TUMOR
    box = ndimage.find_objects(tumor.astype(np.uint8))[0]
    paint_contents(local[box], tumor[box], plan, spacing, rng)


def paint_contents(
    local: np.ndarray, tumor: np.ndarray, plan: LesionPlan, spacing: float, rng: np.random.Generator
) -> None:
    """Paints necrosis, fat and calcium into the tissues `local` where the mask `tumor` of the same window says so, in
    place."""
    diameter = equivalent_diameter_mm(tumor, spacing)
    depth = ndimage.distance_transform_edt(np.pad(tumor, 1))[1:-1, 1:-1, 1:-1] * spacing
    noise = smooth_noise(tumor.shape, rng.uniform(5, 14) / spacing, rng)
    # Small tumors are seldom necrotic; in large ones the middle is.
    share = plan.necrosis * np.clip((diameter - 15) / 45, 0, 1)
    central = depth / max(depth.max(), 1e-6) + 0.35 * noise if rng.random() < 0.7 else noise
    if share > 0:
        local[tumor & (depth > 2.5) & (central > np.quantile(central[tumor], 1 - share))] = Tissue.NECROSIS
    if plan.is_fatty:
        local[tumor & (noise < np.quantile(noise[tumor], rng.uniform(0.15, 0.8)))] = Tissue.TUMOR_FAT
    if plan.has_calcium:
        specks = smooth_noise(tumor.shape, rng.uniform(2.5, 6) / spacing, rng)
        local[tumor & (specks > np.quantile(specks[tumor], rng.uniform(0.96, 0.998)))] = Tissue.TUMOR_CALCIUM


def equivalent_diameter_mm(mask: np.ndarray, spacing: float) -> float:
    """Diameter of the ball that has the mask's volume."""
    return float(2 * (3 * mask.sum() * spacing**3 / (4 * np.pi)) ** (1 / 3))
