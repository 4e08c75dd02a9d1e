"""Work grids: upright grids of a network's spacing, and boxes of the patient.

A work grid's index axes are those of the patient (x to left, y to posterior, z to superior), whatever the CT's
orientation; its arrays are (z, y, x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..volumes.geometry import image_from_array
from ..volumes.volume import Volume

AIR_HU = -1024.0
# Share of a voxel by which a box may end beyond one: the same scan from DICOM and from NIfTI differs by rounding, which
# must not move a grid by a voxel.
_A_HAIR = 1e-3


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
        count = np.maximum(1, np.ceil((box.high - box.low) / steps - _A_HAIR).astype(int))
        return cls(box.low + steps / 2, spacing, tuple(int(n) for n in count[::-1]))

    def snapped(self, box: Box) -> Box:
        """A box moved by half a voxel at most, so that it begins between voxels of this grid, or of the grid continued,
        and lengthened to whole ones."""
        steps = np.asarray(self.spacing[::-1])
        corner = self.origin - steps / 2
        low = corner + steps * np.floor((box.low - corner) / steps + 0.5 + _A_HAIR)
        return Box(low, low + steps * np.ceil((box.high - box.low) / steps - _A_HAIR))

    def thinned(self, step: int) -> Grid:
        """The grid of every `step`-th voxel along each axis, from the first on."""
        spacing = tuple(mm * step for mm in self.spacing)
        return Grid(self.origin, spacing, tuple(-(-n // step) for n in self.size))

    @property
    def affine(self) -> np.ndarray:
        """4x4 affine (see `volumes.geometry`)."""
        affine = np.diag([*self.spacing[::-1], 1.0])
        affine[:3, 3] = self.origin
        return affine

    def window(self, box: Box, multiple: int = 1) -> tuple[slice, slice, slice]:
        """Index slices (z, y, x) of the voxels in a box, lengthened to a `multiple` where the grid has room."""
        steps = np.asarray(self.spacing[::-1])
        low = np.floor((box.low - self.origin) / steps + 0.5 + _A_HAIR).astype(int)[::-1]
        high = np.ceil((box.high - self.origin) / steps + 0.5 - _A_HAIR).astype(int)[::-1]
        inside = tuple(map(slice, np.maximum(low, 0).tolist(), np.minimum(high, self.size).tolist()))
        return self.lengthened(inside, multiple)

    def lengthened(self, window: tuple[slice, ...], multiple: int) -> tuple[slice, slice, slice]:
        """Index slices (z, y, x) lengthened to a `multiple` where the grid has room."""
        return tuple(_lengthened(axis, multiple, size) for axis, size in zip(window, self.size, strict=True))

    def part(self, window: tuple[slice, ...]) -> Grid:
        """The grid of index slices (z, y, x) of this one."""
        offset = np.array([axis.start * mm for axis, mm in zip(window, self.spacing, strict=True)])
        return Grid(self.origin + offset[::-1], self.spacing, tuple(axis.stop - axis.start for axis in window))

    def box_of(self, mask: np.ndarray) -> Box:
        """The box around the true voxels of a mask (z, y, x) on this grid."""
        spans = [np.flatnonzero(mask.any(axes)) for axes in ((0, 1), (0, 2), (1, 2))]
        steps = np.asarray(self.spacing[::-1])
        low = self.origin + steps * [span[0] - 0.5 for span in spans]
        return Box(low, self.origin + steps * [span[-1] + 0.5 for span in spans])


def _lengthened(part: slice, multiple: int, size: int) -> slice:
    length = -(-(part.stop - part.start) // multiple) * multiple
    start = max(min(part.start, size - length), 0)
    return slice(start, min(size, start + length))


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


def on_grid(values: np.ndarray, grid: Grid, other: Grid, outside: float = 0.0) -> np.ndarray:
    """Values (z, y, x) of one grid linearly interpolated on another, float32."""
    return interpolated(values, grid, reference_image(other.affine, other.size), outside)


def reference_image(affine: np.ndarray, shape: tuple[int, ...]) -> sitk.Image:
    """An image that only says where its voxels (z, y, x) lie."""
    return image_from_array(np.zeros(shape, np.uint8), affine)


def interpolated(values: np.ndarray, grid: Grid, reference: sitk.Image, outside: float) -> np.ndarray:
    """Values (z, y, x) of a grid linearly interpolated at the voxels of `reference`, float32; `outside` beyond the
    grid."""
    image = image_from_array(np.ascontiguousarray(values, np.float32), grid.affine)
    result = sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, outside, sitk.sitkFloat32)
    return sitk.GetArrayFromImage(result)
