"""Scores of a network's grid brought to the CT's own grid, as labels: exact, plane by plane, never all at once.

A voxel's label is the class of the largest trilinearly interpolated score. Interpolating scores, not labels, keeps thin
vessels and smooth surfaces. Interpolated scores are weighted means, so where the background wins at all corners of a
cell it wins inside: only what lies around foreground is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..threads import parts_of, side_by_side
from ..volumes.volume import Volume
from .grid import Grid, index_window, interpolated, reference_image, shifted_affine

# A CT counts as upright if no voxel lies further than this beside where its axes say: a file's rounding, no tilt.
_MOST_OFFSET_MM = 0.05
# An oblique CT's planes that are interpolated at a time.
_SLAB = 16
Window = tuple[slice, ...]


def labels_on_volume(scores: np.ndarray, grid: Grid, volume: Volume) -> tuple[np.ndarray, Window]:
    """Labels on the CT's own grid: the class of largest trilinearly interpolated score.

    `scores` (C, z, y, x), float32 or float16, lie on `grid`. Returns uint8 labels of a window (z, y, x) of the CT that
    holds all foreground, and the window; beyond it, and beyond the grid, everything is background (class 0).
    """
    foreground = _foreground(scores)
    if not foreground.any():
        return np.zeros((0, 0, 0), np.uint8), (slice(0, 0),) * 3
    box = grid.box_of(foreground).grown(grid.spacing[::-1], grid.spacing[::-1])
    window = index_window(volume.affine, volume.array.shape, box)
    affine = shifted_affine(volume.affine, tuple(w.start for w in window))
    shape = tuple(w.stop - w.start for w in window)
    axes = _patient_axes(volume)
    if axes is None:
        return _oblique_labels(scores, grid, affine, shape), window
    lines = [_Line.along(axis, affine, grid, n) for axis, n in zip(range(3), shape, strict=True)]
    turned, around = scores.transpose(0, *(1 + a for a in axes)), foreground.transpose(axes)
    return _upright_labels(turned, around, lines, shape), window


def covered(grid: Grid, volume: Volume, window: Window) -> np.ndarray:
    """Which voxels (z, y, x; bool) of a window of the CT lie on `grid`, where `labels_on_volume` labels them by it."""
    affine = shifted_affine(volume.affine, tuple(w.start for w in window))
    shape = tuple(w.stop - w.start for w in window)
    if _patient_axes(volume) is None:
        ones, inside = np.ones(grid.size, np.float32), np.empty(shape, bool)
        for z in range(0, shape[0], _SLAB):
            some = inside[z : z + _SLAB]
            some[:] = interpolated(ones, grid, reference_image(shifted_affine(affine, (z, 0, 0)), some.shape), 0.0) > 0
        return inside
    z, y, x = (_Line.along(axis, affine, grid, n).inside for axis, n in zip(range(3), shape, strict=True))
    return z[:, None, None] & y[:, None] & x


def _foreground(scores: np.ndarray) -> np.ndarray:
    """Where (z, y, x) the background does not win."""
    return np.stack(side_by_side(lambda plane: plane[1:].max(0) > plane[0], np.moveaxis(scores, 1, 0)))


def _patient_axes(volume: Volume) -> tuple[int, int, int] | None:
    """Which axis (0 z, 1 y, 2 x) of an upright grid each array axis of a CT runs along, either way; None if the CT is
    oblique."""
    ends = np.abs(volume.affine[:3, :3] * (np.array(volume.array.shape[::-1]) - 1))
    along = np.abs(volume.affine[:3, :3]).argmax(0)
    ends[along, range(3)] = 0
    if ends.sum(1).max() > _MOST_OFFSET_MM:
        return None
    return tuple(int(2 - along[2 - axis]) for axis in range(3))


@dataclass(frozen=True)
class _Line:
    """An axis of the CT on the grid's: the grid voxels `low` and `high` around each CT voxel, the share `weight` of the
    second one, and which CT voxels lie on the grid (`inside`)."""

    low: np.ndarray
    high: np.ndarray
    weight: np.ndarray
    inside: np.ndarray

    @classmethod
    def along(cls, axis: int, affine: np.ndarray, grid: Grid, count: int) -> _Line:
        """The line of a CT's array axis with `count` voxels."""
        step = affine[:3, 2 - axis]
        patient = int(np.abs(step).argmax())
        position = affine[patient, 3] + step[patient] * np.arange(count)
        index = (position - grid.origin[patient]) / grid.spacing[2 - patient]
        voxels = grid.size[2 - patient]
        clamped = np.clip(index, 0, voxels - 1)
        low = np.minimum(np.floor(clamped).astype(int), max(voxels - 2, 0))
        return cls(
            low,
            np.minimum(low + 1, voxels - 1),
            (clamped - low).astype(np.float32),
            (index >= -0.5) & (index <= voxels - 0.5),
        )

    def over(self, near: np.ndarray) -> slice:
        """The CT voxels on the grid that touch one of the grid's voxels `near` (bool along the axis)."""
        touched = np.flatnonzero((near[self.low] | near[self.high]) & self.inside)
        return slice(int(touched[0]), int(touched[-1]) + 1) if len(touched) else slice(0, 0)


def _upright_labels(
    scores: np.ndarray, foreground: np.ndarray, lines: list[_Line], shape: tuple[int, ...]
) -> np.ndarray:
    """Labels of a CT whose axes are those of `scores` (C, three axes) and `foreground`, by `lines` along them."""
    labels = np.zeros(shape, np.uint8)
    planes, rows, columns = lines

    cells = list(_by_cell(planes))

    def fill(some: range) -> None:
        @lru_cache(maxsize=2)
        def plane_at(k: int, y: tuple[int, int], x: tuple[int, int]) -> np.ndarray:
            return _plane(scores[:, k], rows, columns, slice(*y), slice(*x))

        for low, members in cells[some.start : some.stop]:
            high = int(planes.high[members[0]])
            near = foreground[low] | foreground[high]
            y, x = rows.over(near.any(1)), columns.over(near.any(0))
            if y.stop == y.start or x.stop == x.start:
                continue
            pair = [plane_at(k, (y.start, y.stop), (x.start, x.stop)) for k in (low, high)]
            for plane in members:
                labels[plane, y, x] = _winner(_between(*pair, planes.weight[plane]))

    side_by_side(fill, parts_of(len(cells)))
    return labels


def _by_cell(planes: _Line) -> Iterator[tuple[int, np.ndarray]]:
    """The CT planes that lie between the same two planes of the grid, and the lower of these."""
    for cell in np.unique(planes.low[planes.inside]):
        yield int(cell), np.flatnonzero((planes.low == cell) & planes.inside)


def _plane(scores: np.ndarray, rows: _Line, columns: _Line, y: slice, x: slice) -> np.ndarray:
    """Scores (C, Y, X) of one plane of the grid, interpolated within itself, float32: along its rows first, of which
    the grid has fewer than the CT."""
    first, last = int(rows.low[y].min()), int(rows.high[y].max()) + 1
    plane = np.asarray(scores[:, first:last], np.float32)
    wide = _between(plane.take(columns.low[x], 2), plane.take(columns.high[x], 2), columns.weight[x])
    low, high = rows.low[y] - first, rows.high[y] - first
    return _between(wide.take(low, 1), wide.take(high, 1), rows.weight[y, None])


def _between(low: np.ndarray, high: np.ndarray, weight: np.ndarray | np.float32) -> np.ndarray:
    """Linear interpolation: `low` where the weight is 0, `high` (but for rounding) where it is 1."""
    between = high - low
    between *= weight
    between += low
    return between


def _winner(scores: np.ndarray) -> np.ndarray:
    """The first class of the largest score (C, Y, X), uint8; `scores` are written over."""
    best = scores[0]
    labels = np.zeros(best.shape, np.uint8)
    for index in range(1, len(scores)):
        np.putmask(labels, scores[index] > best, np.uint8(index))
        np.maximum(best, scores[index], out=best)
    return labels


def _oblique_labels(scores: np.ndarray, grid: Grid, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    labels = np.zeros(shape, np.uint8)
    for start in range(0, shape[0], _SLAB):
        depth = min(_SLAB, shape[0] - start)
        target = reference_image(shifted_affine(affine, (start, 0, 0)), (depth, *shape[1:]))
        best, winner = interpolated(scores[0], grid, target, 1e4), labels[start : start + depth]
        for index in range(1, len(scores)):
            score = interpolated(scores[index], grid, target, -1e4)
            winner[score > best] = index
            np.maximum(best, score, out=best)
    return labels
