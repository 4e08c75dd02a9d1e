"""Masks (z, y, x) whose metrics are known, and seeded random ones."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def box(shape: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...]) -> np.ndarray:
    """True in low <= index < high."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def ball(shape: tuple[int, ...], spacing: tuple[float, ...], center: tuple[float, ...], radius: float) -> np.ndarray:
    """Voxels whose centre is within `radius` mm of `center` (mm from the first voxel)."""
    axes = np.meshgrid(*(np.arange(n) * mm for n, mm in zip(shape, spacing, strict=True)), indexing="ij")
    return sum((axis - middle) ** 2 for axis, middle in zip(axes, center, strict=True)) <= radius**2


def blobs(seed: int, shape: tuple[int, ...] = (22, 26, 30)) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping masks of random blobs."""
    random = np.random.default_rng(seed)
    first, second = (ndimage.gaussian_filter(random.normal(size=shape), 2.5) for _ in range(2))
    return first > 0.02, first + 0.6 * second > 0.02
