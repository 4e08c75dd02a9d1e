"""Sliding windows: where they lie and how their overlaps are blended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def windows(shape: tuple[int, ...], size: tuple[int, ...], overlap: float = 0.5) -> Iterator[tuple[slice, ...]]:
    """The windows (z, y, x) over an array of `shape`."""
    starts = [window_starts(n, w, overlap) for n, w in zip(shape, size, strict=True)]
    for corner in product(*starts):
        yield tuple(slice(a, min(a + w, n)) for a, w, n in zip(corner, size, shape, strict=True))


def gaussian_weights(size: tuple[int, ...]) -> np.ndarray:
    """float32 weights of a window: a Gaussian of sigma size / 8 (nnU-Net's), never below a hundredth of its middle."""
    lines = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 8)) ** 2) for n in size]
    weights = lines[0][:, None, None] * lines[1][:, None] * lines[2]
    return np.maximum(weights / weights.max(), _FLOOR).astype(np.float32)


def blended(
    hu: np.ndarray,
    outputs: int,
    size: tuple[int, ...],
    predict: Callable[[np.ndarray], np.ndarray],
    overlap: float = 0.5,
) -> np.ndarray:
    """Maps (outputs, z, y, x): the weighted mean of `predict(window of hu)` over all windows of `size`."""
    total = np.zeros((outputs, *hu.shape), np.float32)
    weight = np.zeros(hu.shape, np.float32)
    for window in windows(hu.shape, size, overlap):
        part = np.ascontiguousarray(hu[window])
        weights = gaussian_weights(part.shape)
        total[(slice(None), *window)] += predict(part) * weights
        weight[window] += weights
    return total / weight
