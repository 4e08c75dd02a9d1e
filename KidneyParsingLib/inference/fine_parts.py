"""Parts of a grid that are known on a finer one: their scores, and their labels on the CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from ..volumes.volume import Volume
from .backends.backend import Tick, no_tick
from .cleanup import suppress
from .grid import Box, Grid, index_window
from .maps import UNSEEN
from .neighbourhood import within
from .passes import Window
from .upsampling import covered, labels_on_volume


@dataclass
class FinePart:
    """A `window` of a grid, the finer `grid` that covers the same, `step` voxels an axis for one, and `scores` (C, z,
    y, x; float16) on that."""

    window: Window
    grid: Grid
    step: int
    scores: np.ndarray = field(default_factory=lambda: np.empty(0, np.float16))

    @classmethod
    def over(cls, grid: Grid, window: Window, spacing: float) -> FinePart:
        """The part over a window of `grid`, without scores yet; its `spacing` (mm) is a whole part of the grid's."""
        step = round(grid.spacing[0] / spacing)
        coarse = grid.part(window)
        fine = tuple(mm / step for mm in grid.spacing)
        origin = coarse.origin - np.subtract(grid.spacing, fine)[::-1] / 2
        return cls(window, Grid(origin, fine, tuple(n * step for n in coarse.size)), step)

    def on_finer(self, mask: np.ndarray) -> np.ndarray:
        """A mask (z, y, x) of the window on the finer grid."""
        for axis in range(3):
            mask = mask.repeat(self.step, axis)
        return mask

    def hide(self, mask: np.ndarray) -> None:
        """Marks what no network has seen, by a `mask` (z, y, x) of the window."""
        if mask.any():
            self.scores[0][self.on_finer(mask)] = UNSEEN

    def interpolated(self, values: np.ndarray, planes: slice) -> np.ndarray:
        """Values (C, z, y, x; float32) of the window linearly interpolated at some `planes` (z) of the finer grid."""
        low, high, weight = self._between(values.shape[1])
        first, last = low[planes].min(), high[planes].max() + 1
        values = values[:, first:last]
        for axis in (3, 2):
            values = _interpolated(values, axis, *self._between(values.shape[axis]))
        return _interpolated(values, 1, low[planes] - first, high[planes] - first, weight[planes])

    def _between(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the finer voxels along an axis of `count` coarse ones: the coarse ones before and after each, and the
        share of the one after."""
        position = np.clip((np.arange(count * self.step) + 0.5) / self.step - 0.5, 0, count - 1)
        low = np.minimum(position.astype(int), max(count - 2, 0))
        return low, np.minimum(low + 1, count - 1), (position - low).astype(np.float32)

    def block_means(self, values: np.ndarray) -> np.ndarray:
        """Means of values (C, z, y, x) of the finer grid over the voxels of each coarse one."""
        every = [slice(start, None, self.step) for start in range(self.step)]
        return sum(values[:, z, y, x] for z, y, x in product(every, repeat=3)) / self.step**3


def _interpolated(values: np.ndarray, axis: int, low: np.ndarray, high: np.ndarray, weight: np.ndarray) -> np.ndarray:
    before, between = values.take(low, axis), values.take(high, axis)
    between -= before
    between *= weight.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    between += before
    return between


def suppress_in(parts: Sequence[FinePart], mask: np.ndarray, kept: np.ndarray, grid: Grid) -> None:
    """`cleanup.suppress` in parts of a grid, for a `mask` (z, y, x) of the whole grid; and a voxel around, where the
    finer surface of what goes may reach, but not in what is `kept` (z, y, x)."""
    if parts and mask.any():
        goes = mask | within(mask, max(grid.spacing), grid) & ~kept
        for part in parts:
            suppress(part.scores, part.on_finer(goes[part.window]))


def labels_with_parts(
    scores: np.ndarray, grid: Grid, parts: Sequence[FinePart], volume: Volume, tick: Tick = no_tick
) -> tuple[np.ndarray, Window]:
    """`labels_on_volume` of scores on a grid, and of its parts where these lie; of two that overlap the first counts.
    `tick` is called after each."""
    coarse, coarse_window = labels_on_volume(scores, grid, volume)
    places = [_place(part.grid, volume) for part in parts]
    window = _around([coarse_window, *places])
    labels = np.zeros(tuple(w.stop - w.start for w in window), np.uint8)
    _within(labels, window, coarse_window)[:] = coarse
    for index, (part, place) in enumerate(reversed(list(zip(parts, places, strict=True))), 1):
        tick(index / (len(parts) + 1))
        _paste(_within(labels, window, place), place, part, volume)
    return labels, window


def _paste(labels: np.ndarray, place: Window, part: FinePart, volume: Volume) -> None:
    """Writes a part's labels over those of a `place` of the CT where the part lies."""
    found, where = labels_on_volume(part.scores, part.grid, volume)
    fine = np.zeros(labels.shape, np.uint8)
    inside = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(where, place, strict=True))
    if found.size:
        _within(fine, place, inside)[:] = _within(found, where, inside)
    np.copyto(labels, fine, where=covered(part.grid, volume, place))


def _place(grid: Grid, volume: Volume) -> Window:
    half = np.multiply(grid.spacing[::-1], 0.5)
    end = grid.origin + np.multiply(grid.spacing[::-1], np.array(grid.size[::-1]) - 0.5)
    return index_window(volume.affine, volume.array.shape, Box(grid.origin - half, end))


def _around(windows: Sequence[Window]) -> Window:
    """The smallest window around others; empty ones do not count."""
    some = [w for w in windows if all(axis.stop > axis.start for axis in w)]
    if not some:
        return (slice(0, 0),) * 3
    return tuple(slice(min(w[a].start for w in some), max(w[a].stop for w in some)) for a in range(3))


def _within(array: np.ndarray, window: Window, part: Window) -> np.ndarray:
    """The `part` (of the CT) of an array that holds a `window` of it."""
    return array[tuple(slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, window, strict=True))]
