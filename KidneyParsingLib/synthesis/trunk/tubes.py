"""Tubes along a path as depth fields, so that a wall, a lumen and its segments can be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..fields import spline_path


@dataclass(frozen=True)
class Tube:
    """The voxels near a path: their window `box` in the volume, `depth` below the surface in voxels (negative outside)
    and `nearest`, the index of the path point that they lie deepest under."""

    box: tuple[slice, ...]
    depth: np.ndarray
    nearest: np.ndarray


def tube(
    shape: tuple[int, ...], path: np.ndarray, radii: np.ndarray | float, squash: np.ndarray | float = 1.0
) -> Tube | None:
    """The tube of `radii` (voxels) around `path` (n, 3; z, y, x) in a volume of `shape`; None if it lies outside.

    `squash` is the tube's extent along y relative to its radius, below 1 for a flattened one.
    """
    radii, squash = (np.broadcast_to(np.asarray(v, float), len(path)) for v in (radii, squash))
    reach = np.maximum(radii, 1)[:, None] + 1
    low = np.maximum(np.floor((path - reach).min(0)).astype(int), 0)
    high = np.minimum(np.ceil((path + reach).max(0)).astype(int) + 1, shape)
    if (high <= low).any():
        return None
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    depth = np.full(high - low, -9.0, np.float32)
    nearest = np.zeros(high - low, np.int16)
    for index, point in enumerate(path - low):
        _stamp(depth, nearest, index, point, radii[index], squash[index])
    return Tube(box, depth, nearest)


def _stamp(depth: np.ndarray, nearest: np.ndarray, index: int, point: np.ndarray, radius: float, squash: float) -> None:
    low = np.maximum(np.floor(point - radius).astype(int), 0)
    high = np.minimum(np.ceil(point + radius).astype(int) + 1, depth.shape)
    if (high <= low).any():
        return
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    scale = (1.0, squash, 1.0)
    z, y, x = (((np.arange(a, b) - p) / s) ** 2 for a, b, p, s in zip(low, high, point, scale, strict=True))
    deeper = (radius - np.sqrt(z[:, None, None] + y[None, :, None] + x[None, None, :])).astype(np.float32)
    better = deeper > depth[window]
    depth[window][better] = deeper[better]
    nearest[window][better] = index


def curve(points: list[np.ndarray] | np.ndarray, step: float) -> np.ndarray:
    """Points (n, 3) about every `step` voxels along a smooth curve through control points."""
    path = spline_path(list(points), step=0.5)
    return path[:: max(1, round(step / 0.5))]
