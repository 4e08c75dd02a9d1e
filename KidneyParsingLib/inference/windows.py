"""Sliding windows: where they lie and how their overlaps are blended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product

import numpy as np

# The weight at a window's rim, relative to its middle: not so small that a float32 mean of weights loses it.
_FLOOR = 1e-2


def window_starts(length: int, window: int, overlap: float = 0.5) -> list[int]:
    """First indices of evenly spread windows that cover `length` voxels and overlap by at least `overlap` of a
    window."""
    if length <= window:
        return [0]
    count = int(np.ceil((length - window) / max(1, round(window * (1 - overlap))))) + 1
    return [round(i * (length - window) / (count - 1)) for i in range(count)]


def window_count(shape: tuple[int, ...], size: tuple[int, ...], overlap: float = 0.5) -> int:
    """How many windows of `size` cover an array of `shape`."""
    return int(np.prod([len(window_starts(n, w, overlap)) for n, w in zip(shape, size, strict=True)]))


@lru_cache(maxsize=8)
def gaussian_weights(size: tuple[int, ...]) -> np.ndarray:
    """float32 weights of a window: a Gaussian of sigma size / 8 (nnU-Net's), never below a hundredth of its middle."""
    lines = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 8)) ** 2) for n in size]
    weights = lines[0][:, None, None] * lines[1][:, None] * lines[2]
    return np.maximum(weights / weights.max(), _FLOOR).astype(np.float32)


def blended_slabs(
    hu: np.ndarray,
    size: tuple[int, ...],
    predict: Callable[[np.ndarray], np.ndarray],
    overlap: float = 0.5,
) -> Iterator[tuple[slice, np.ndarray]]:
    """The weighted mean of `predict(window of hu)`, maps (C, z, y, x), over all windows of `size`, slab by slab.

    Yields slices of z and their maps (C, dz, y, x) from bottom to top; no more than one window's depth is held at a
    time, and a slab's maps are written over by the next.
    """
    starts, *planar = [window_starts(n, w, overlap) for n, w in zip(hu.shape, size, strict=True)]
    depth = min(size[0], len(hu))
    total, weight = None, np.zeros((depth, *hu.shape[1:]), np.float32)
    for start, following in zip(starts, [*starts[1:], len(hu)], strict=True):
        for y, x in product(*planar):
            window = (slice(0, depth), slice(y, min(y + size[1], hu.shape[1])), slice(x, min(x + size[2], hu.shape[2])))
            part = predict(np.ascontiguousarray(hu[start : start + depth][window]))
            weights = gaussian_weights(part.shape[1:])
            total = np.zeros((len(part), *weight.shape), np.float32) if total is None else total
            for sums, maps in zip(total, part, strict=True):
                sums[window] += maps * weights
            weight[window] += weights
        done = following - start
        # In place, as is all here: what would be held twice counts in the peak (docs/performance.md).
        total[:, :done] /= weight[:done]
        yield slice(start, following), total[:, :done]
        for values in (*total, weight):
            _move_down(values, done)


def together(slabs: Iterator[tuple[slice, np.ndarray]], depth: int) -> np.ndarray:
    """The maps (C, depth, y, x) of slabs that are written over one by one."""
    whole = None
    for z, maps in slabs:
        if maps.shape[1] == depth:
            return maps
        whole = np.empty((len(maps), depth, *maps.shape[2:]), maps.dtype) if whole is None else whole
        whole[:, z] = maps
    return whole


def _move_down(values: np.ndarray, planes: int) -> None:
    """Drops the first planes (z, y, x) and fills the end with zeros, in place."""
    for plane in range(len(values) - planes):
        values[plane] = values[plane + planes]
    values[len(values) - planes :] = 0
