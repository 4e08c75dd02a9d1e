"""Inside of a made kidney: renal sinus, cortex with columns of Bertin, discrete medullary pyramids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cc3d
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..fields import closed, paint_tube, smooth_noise, spline_path
from ..tissues import Tissue
from .lesions import KIDNEY
from .variants import KidneyPlan

_SMALLEST_SINUS_MM3 = 1500
_LONGEST_PYRAMID_MM = 20.0


@dataclass(frozen=True)
class Kidney:
    """A kidney set into a patient. Points are (z, y, x) voxels of the patient; masks cover a window that starts at
    `corner`. `outward` is the unit vector through the hilum out of the kidney, `upward` the one along its long axis;
    `shell` is the outer 5 mm; `tips` are the papillae of the pyramids and `columns` points between pyramids."""

    side: str
    plan: KidneyPlan
    spacing: float
    corner: np.ndarray
    solid: np.ndarray
    sinus: np.ndarray
    lesion: np.ndarray
    shell: np.ndarray
    outward: np.ndarray
    upward: np.ndarray
    center: np.ndarray
    hilum: np.ndarray
    tips: np.ndarray
    columns: np.ndarray

    @cached_property
    def sinus_points(self) -> np.ndarray:
        """Voxels (n, 3) of the sinus; where a tumor fills it, those of the parenchyma nearest to the hilum."""
        if self.sinus.any():
            return np.argwhere(self.sinus).astype(float) + self.corner
        points = np.argwhere(self.solid & ~self.lesion).astype(float) + self.corner
        away = np.linalg.norm(points - self.hilum, axis=1)
        return points[away <= np.quantile(away, 0.08)]

    @cached_property
    def _sinus_tree(self) -> cKDTree:
        return cKDTree(self.sinus_points)

    def into_sinus(self, points: np.ndarray) -> np.ndarray:
        """The sinus voxels nearest to the points."""
        return self.sinus_points[self._sinus_tree.query(points)[1]]

    @cached_property
    def backward(self) -> np.ndarray:
        """Unit vector to the kidney's posterior lip."""
        across = np.cross(self.upward, self.outward)
        across /= max(np.linalg.norm(across), 1e-6)
        return across if across[1] >= 0 else -across

    def height(self, points: np.ndarray) -> np.ndarray:
        """Position along the long axis in mm, 0 at the centre, up positive."""
        return (points - self.center) @ self.upward * self.spacing


def set_parenchyma(
    local: np.ndarray, kidney: np.ndarray, free: np.ndarray, corner: np.ndarray, outward: np.ndarray, side: str,
    plan: KidneyPlan, spacing: float, rng: np.random.Generator
) -> Kidney:  # fmt: skip
    """Paints sinus fat, cortex and pyramids of the shape `kidney` (1 kidney, 2 tumor, 3 cyst) into the window `local`
    of tissues where `free`, in place; lesions are left to `paint_lesions`."""
    solid = (kidney > 0) & free
    envelope = closed(solid & (kidney == KIDNEY), rng.uniform(8, 13) / spacing)
    outward = outward / np.linalg.norm(outward)
    upward = _long_axis(solid & (kidney == KIDNEY), outward)
    sinus = _sinus(solid, envelope, kidney, outward, upward, spacing, rng) & free
    solid &= ~sinus
    local[envelope & free & ~solid] = Tissue.FAT
    depth = ndimage.distance_transform_edt(envelope | solid).astype(np.float32) * spacing
    thickness = rng.uniform(5, 9) * (1 + 0.12 * smooth_noise(kidney.shape, 10 / spacing, rng))
    thickness = np.minimum(np.maximum(thickness, 5), 0.5 * np.quantile(depth[solid], 0.98))
    deep = solid & (kidney == KIDNEY) & (depth > thickness)
    bases, tips = _draw_pyramids(deep, depth - thickness, sinus, plan.pyramids, spacing, rng)
    local[solid] = Tissue.CORTEX
    columns = _paint_pyramids(local, deep, bases, tips, spacing, rng)
    if plan.is_lobulated and len(bases) > 1:
        _paint_clefts(local, solid & (kidney == KIDNEY), depth, bases, spacing)
    inner = np.argwhere(sinus if sinus.any() else solid & (kidney == KIDNEY)).astype(float)
    along = inner @ outward
    hilum = inner[along >= np.quantile(along, 0.8)].mean(0)
    lesion = solid & (kidney > KIDNEY)
    center = np.argwhere(envelope).mean(0) + corner
    return Kidney(
        side=side, plan=plan, spacing=spacing, corner=corner, solid=solid, sinus=sinus, lesion=lesion,
        shell=solid & (depth < 5), outward=outward, upward=upward, center=center, hilum=hilum + corner,
        tips=tips + corner, columns=columns + corner
    )  # fmt: skip


def _long_axis(mask: np.ndarray, outward: np.ndarray) -> np.ndarray:
    """Unit vector of the largest extent across the hilum's direction, up positive."""
    points = np.argwhere(mask).astype(float)[::7]
    points -= points.mean(0)
    points -= np.outer(points @ outward, outward)
    axis = np.linalg.eigh(points.T @ points)[1][:, -1]
    return axis * (1 if axis[0] >= 0 else -1)


def _sinus(
    solid: np.ndarray, envelope: np.ndarray, kidney: np.ndarray, outward: np.ndarray, upward: np.ndarray,
    spacing: float, rng: np.random.Generator
) -> np.ndarray:  # fmt: skip
    """The hollow of the kidney on the hilum's side; where a shape has hardly any, one is carved."""
    parts = cc3d.connected_components(envelope & ~solid, connectivity=6)
    middle = np.argwhere(solid).mean(0)
    sinus = _hilar_part(parts, middle, outward, spacing)
    if sinus.sum() * spacing**3 > _SMALLEST_SINUS_MM3:
        return sinus
    points = np.argwhere(solid & (kidney == KIDNEY))
    reach = np.quantile((points - middle) @ outward, 0.98)
    half = np.quantile(np.abs((points - middle) @ upward), 0.95) * rng.uniform(0.35, 0.55)
    mouth, inside = middle + reach * outward, middle + 0.15 * reach * outward
    wide = rng.uniform(0.2, 0.3) * reach
    paint_tube(sinus, spline_path([mouth, inside]), wide)
    paint_tube(sinus, spline_path([inside - half * upward, inside - 2 * outward, inside + half * upward]), 0.8 * wide)
    return sinus & envelope & (kidney <= KIDNEY)


def _hilar_part(parts: np.ndarray, middle: np.ndarray, outward: np.ndarray, spacing: float) -> np.ndarray:
    """The largest of the labelled hollows that do not lie on the kidney's convex side."""
    voxels = np.bincount(parts.ravel())
    voxels[0] = 0
    for part in np.argsort(voxels)[::-1][:5]:
        if voxels[part] and (np.argwhere(parts == part).mean(0) - middle) @ outward * spacing > -4:
            return parts == part
    return np.zeros(parts.shape, bool)


def spread(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of up to `count` points far from each other: farthest point sampling from a random start."""
    if not len(points):
        return np.zeros(0, int)
    picked = [int(rng.integers(len(points)))]
    distance = np.full(len(points), np.inf)
    for _ in range(min(count, len(points)) - 1):
        distance = np.minimum(distance, ((points - points[picked[-1]]) ** 2).sum(1))
        picked.append(int(distance.argmax()))
    return np.array(picked)


def _draw_pyramids(
    deep: np.ndarray, below: np.ndarray, sinus: np.ndarray, count: int, spacing: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the pyramids' bases (n, 3) just below the cortex, and their tips near the sinus, window voxels."""
    candidates = np.argwhere(deep & (below < 1.2 * spacing)).astype(float)
    hollow = np.argwhere(sinus).astype(float)
    if not len(candidates) or not len(hollow):
        return np.zeros((0, 3)), np.zeros((0, 3))
    candidates = candidates[rng.permutation(len(candidates))[:2500]]
    bases = candidates[spread(candidates, count, rng)]
    for _ in range(2):  # moves the bases to the middles of the parts of the surface that are nearest to them
        nearest = cKDTree(bases).query(candidates)[1]
        bases = np.stack([candidates[nearest == i].mean(0) for i in range(len(bases))])
        # Two middles may snap to one candidate.
        bases = np.unique(candidates[cKDTree(candidates).query(bases)[1]], axis=0)
    tips = hollow[cKDTree(hollow).query(bases)[1]]
    length = np.linalg.norm(tips - bases, axis=1, keepdims=True) * spacing
    return bases, bases + (tips - bases) * np.minimum(1, _LONGEST_PYRAMID_MM / np.maximum(length, 1e-6))


def _paint_pyramids(
    local: np.ndarray, deep: np.ndarray, bases: np.ndarray, tips: np.ndarray, spacing: float, rng: np.random.Generator
) -> np.ndarray:
    """Paints cones with a column of cortex between neighbours; returns points (n, 3) in the columns."""
    points = np.argwhere(deep)
    if not len(points) or len(bases) < 2:
        return points[:: max(1, len(points) // 40)].astype(float)
    away = np.stack([_to_segment(points, a, b) for a, b in zip(tips, bases, strict=True)], 1) * spacing
    order = np.argpartition(away, 1, axis=1)[:, :2]
    first, second = np.take_along_axis(away, order, 1).T
    own = order[:, 0]
    from_tip = np.linalg.norm(points - tips[own], axis=1) * spacing
    slope = rng.uniform(0.7, 1.1, len(bases))[own]
    ridge = smooth_noise(deep.shape, 6 / spacing, rng)[tuple(points.T)]
    # A column thinner than a voxel would let pyramids run together.
    column = np.clip(rng.uniform(2.2, 4.2) + 1.0 * ridge, max(1.2, 1.4 * spacing), 8.0)
    cone = (first < 1.5 + slope * from_tip + 0.8 * ridge) & (second - first > column)
    local[tuple(points[cone].T)] = Tissue.MEDULLA
    between = points[(second - first < 0.5 * column)]
    return between[rng.permutation(len(between))[:2000]].astype(float)


def _to_segment(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    axis = end - start
    along = np.clip((points - start) @ axis / max(axis @ axis, 1e-6), 0, 1)
    return np.linalg.norm(points - start - along[:, None] * axis, axis=1)


def _paint_clefts(local: np.ndarray, solid: np.ndarray, depth: np.ndarray, bases: np.ndarray, spacing: float) -> None:
    """Fetal lobulation: shallow furrows of fat in the surface between neighbouring pyramids."""
    points = np.argwhere(solid & (depth < 4))
    if len(points):
        distance = cKDTree(bases).query(points, k=2)[0] * spacing
        furrow = depth[tuple(points.T)] < 3.5 - 1.2 * (distance[:, 1] - distance[:, 0])
        local[tuple(points[furrow].T)] = Tissue.FAT
