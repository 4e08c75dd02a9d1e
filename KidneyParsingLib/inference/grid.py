"""Work grids: CT resampled to upright grids of a network's spacing, and logits brought back to the CT's own grid.

A work grid's index axes are those of the patient (x to left, y to posterior, z to superior), whatever the CT's
orientation; its arrays are (z, y, x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..volumes.geometry import image_from_array, spacing_of
from ..volumes.volume import Volume

AIR_HU = -1024.0


@dataclass(frozen=True)
class Box:
    """An upright box in the patient: `low` and `high` corners (x, y, z) in LPS mm."""

    low: np.ndarray
    high: np.ndarray

    @property
    def center(self) -> np.ndarray:
        """Its centre (x, y, z), LPS mm."""
        return (self.low + self.high) / 2

    def grown(self, low: tuple[float, ...], high: tuple[float, ...]) -> Box:
        """The box moved out by `low` mm at its low sides and `high` mm at its high sides (x, y, z)."""
        return Box(self.low - low, self.high + high)

    def within(self, other: Box) -> Box:
        """The part inside another box."""
        return Box(np.maximum(self.low, other.low), np.minimum(self.high, other.high))


@dataclass(frozen=True)
class Grid:
    """An upright grid: `size` (z, y, x) voxels of `spacing` mm (z, y, x), first voxel centre at `origin` (x, y, z)."""

    origin: np.ndarray
    spacing: tuple[float, float, float]
    size: tuple[int, int, int]

    @classmethod
    def over(cls, box: Box, spacing: tuple[float, float, float]) -> Grid:
        """The grid whose voxels cover a box."""
        steps = np.asarray(spacing[::-1])
        count = np.maximum(1, np.ceil((box.high - box.low) / steps).astype(int))
        return cls(box.low + steps / 2, spacing, tuple(int(n) for n in count[::-1]))

    @property
    def affine(self) -> np.ndarray:
        """4x4 affine (see `volumes.geometry`)."""
        affine = np.diag([*self.spacing[::-1], 1.0])
        affine[:3, 3] = self.origin
        return affine

    def window(self, box: Box, multiple: int = 1) -> tuple[slice, slice, slice]:
        """Index slices (z, y, x) of the voxels in a box, lengthened to a `multiple` where the grid has room."""
        steps = np.asarray(self.spacing[::-1])
        low = np.floor((box.low - self.origin) / steps + 0.5).astype(int)[::-1]
        high = np.ceil((box.high - self.origin) / steps + 0.5).astype(int)[::-1]
        low, high = np.maximum(low, 0), np.minimum(high, self.size)
        length = -(-(high - low) // multiple) * multiple
        low = np.maximum(np.minimum(low, self.size - length), 0)
        return tuple(slice(int(a), int(min(n, a + k))) for a, k, n in zip(low, length, self.size, strict=True))

    def box_of(self, mask: np.ndarray) -> Box:
        """The box around the true voxels of a mask (z, y, x) on this grid."""
        spans = [np.flatnonzero(mask.any(axes)) for axes in ((0, 1), (0, 2), (1, 2))]
        steps = np.asarray(self.spacing[::-1])
        low = self.origin + steps * [span[0] - 0.5 for span in spans]
        return Box(low, self.origin + steps * [span[-1] + 0.5 for span in spans])


def index_window(affine: np.ndarray, shape: tuple[int, ...], box: Box, margin: int = 1) -> tuple[slice, ...]:
    """Index slices (z, y, x) of the part of a volume that covers a box of the patient, clipped to the volume."""
    corners = np.array([[*np.where(pick, box.high, box.low), 1.0] for pick in np.ndindex(2, 2, 2)]).T
    index = (np.linalg.inv(affine) @ corners)[:3][::-1]
    low = np.floor(index.min(1)).astype(int) - margin
    high = np.ceil(index.max(1)).astype(int) + margin + 1
    return tuple(slice(max(0, min(a, n - 1)), max(1, min(b, n))) for a, b, n in zip(low, high, shape, strict=True))


def shifted_affine(affine: np.ndarray, offset: tuple[float, ...]) -> np.ndarray:
    """The affine of a sub-volume whose first voxel is at `offset` (z, y, x) of the whole."""
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ np.asarray(offset, float)[::-1]
    return moved


def bounds(volume: Volume) -> Box:
    """The upright box around a volume."""
    ends = np.array([[*corner, 1.0] for corner in np.ndindex(2, 2, 2)]).T
    ends[:3] = ends[:3] * np.asarray(volume.array.shape[::-1])[:, None] - 0.5
    points = (volume.affine @ ends)[:3]
    return Box(points.min(1), points.max(1))


def resampled(volume: Volume, grid: Grid) -> np.ndarray:
    """The CT on a grid, float32 HU (z, y, x); AIR_HU outside.

    Voxels are averaged in whole blocks up to the grid's spacing, then interpolated linearly: noise falls as in a scan
    of that resolution, and no float copy of the whole CT is made.
    """
    box = Box(grid.origin - grid.spacing[::-1], grid.origin + np.multiply(grid.size[::-1], grid.spacing[::-1]))
    window = index_window(volume.affine, volume.array.shape, box)
    part, affine = volume.array[window], shifted_affine(volume.affine, tuple(w.start for w in window))
    blocks, affine = _block_means(part, affine, grid.spacing)
    image = image_from_array(blocks, affine)
    reference = (tuple(int(n) for n in grid.size[::-1]), grid.origin.tolist(), tuple(map(float, grid.spacing[::-1])))
    size, origin, spacing = reference
    result = sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, origin, spacing, np.eye(3).ravel().tolist(),
                           AIR_HU, sitk.sitkFloat32)  # fmt: skip
    return sitk.GetArrayFromImage(result)


def _block_means(array: np.ndarray, affine: np.ndarray, spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Means over blocks of whole voxels no larger than `spacing` (z, y, x of the patient), and their affine; last
    blocks may be smaller."""
    factors = [
        max(1, min(int(wanted / mm + 0.05), n))
        for wanted, mm, n in zip(_along_axes(spacing, affine), spacing_of(affine)[::-1], array.shape, strict=True)
    ]
    starts = [np.arange(0, n, f) for n, f in zip(array.shape, factors, strict=True)]
    sizes = [np.diff(np.append(s, n)).astype(np.float32) for s, n in zip(starts, array.shape, strict=True)]
    means = np.empty([len(s) for s in starts], np.float32)
    for z, start in enumerate(starts[0]):  # a slab at a time, so that no float copy of the whole is made
        slab = array[start : start + factors[0]].mean(0, dtype=np.float32)
        rows = np.add.reduceat(slab, starts[1], axis=0) / sizes[1][:, None]
        means[z] = np.add.reduceat(rows, starts[2], axis=1) / sizes[2]
    moved = shifted_affine(affine, tuple((f - 1) / 2 for f in factors))
    moved[:3, :3] = moved[:3, :3] * factors[::-1]
    return means, moved


def _along_axes(spacing: tuple[float, ...], affine: np.ndarray) -> list[float]:
    """The upright spacing (z, y, x) along a volume's array axes: that of the patient axis which each follows most."""
    follows = np.abs(affine[:3, :3] / spacing_of(affine)).argmax(0)[::-1]
    return [spacing[2 - axis] for axis in follows]


def labels_on_volume(logits: np.ndarray, grid: Grid, volume: Volume) -> tuple[np.ndarray, tuple[slice, ...]]:
    """Labels on the CT's own grid: the class of largest trilinearly interpolated logit.

    `logits` (C, z, y, x) float32 lie on `grid`. Returns uint8 labels of the smallest window (z, y, x) of the CT that
    holds all foreground, and the window; beyond it everything is background (class 0). Interpolating logits, not
    labels, keeps thin vessels and smooth surfaces.
    """
    foreground = logits[1:].max(0) > logits[0]
    if not foreground.any():
        return np.zeros((0, 0, 0), np.uint8), (slice(0, 0),) * 3
    box = grid.box_of(foreground).grown(grid.spacing[::-1], grid.spacing[::-1])
    window = index_window(volume.affine, volume.array.shape, box)
    shape = tuple(w.stop - w.start for w in window)
    target = _reference(shifted_affine(volume.affine, tuple(w.start for w in window)), shape)
    best, winner = _interpolated(logits[0], grid, target, 1e4), np.zeros(shape, np.uint8)
    for index in range(1, len(logits)):
        score = _interpolated(logits[index], grid, target, -1e4)
        winner[score > best] = index
        np.maximum(best, score, out=best)
    return winner, window


def on_grid(values: np.ndarray, grid: Grid, other: Grid, outside: float = 0.0) -> np.ndarray:
    """Values (z, y, x) of one grid linearly interpolated on another, float32."""
    return _interpolated(values, grid, _reference(other.affine, other.size), outside)


def _reference(affine: np.ndarray, shape: tuple[int, ...]) -> sitk.Image:
    return image_from_array(np.zeros(shape, np.uint8), affine)


def _interpolated(values: np.ndarray, grid: Grid, reference: sitk.Image, outside: float) -> np.ndarray:
    image = image_from_array(np.ascontiguousarray(values, np.float32), grid.affine)
    result = sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, outside, sitk.sitkFloat32)
    return sitk.GetArrayFromImage(result)
