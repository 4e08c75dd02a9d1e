"""The CT brought to a network's grid."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..threads import parts_of, side_by_side
from ..volumes.geometry import image_from_array, spacing_of
from ..volumes.volume import Volume
from .grid import AIR_HU, Box, Grid, index_window, shifted_affine


def resampled(volume: Volume, grid: Grid) -> np.ndarray:
    """The CT on a grid, float32 HU (z, y, x); AIR_HU outside.

    Voxels are averaged in whole blocks up to the grid's spacing, then interpolated linearly: noise falls as in a scan
    of that resolution, and no float copy of the whole CT is made. Blocks are counted from the CT's first voxel, so that
    a part of it looks as it does in the whole.
    """
    box = Box(grid.origin - grid.spacing[::-1], grid.origin + np.multiply(grid.size[::-1], grid.spacing[::-1]))
    factors = _block_size(volume, grid.spacing)
    found = index_window(volume.affine, volume.array.shape, box)
    window = tuple(slice(w.start // f * f, w.stop) for w, f in zip(found, factors, strict=True))
    part, affine = volume.array[window], shifted_affine(volume.affine, tuple(w.start for w in window))
    blocks, affine = _block_means(part, affine, factors)
    image = image_from_array(blocks, affine)
    reference = (tuple(int(n) for n in grid.size[::-1]), grid.origin.tolist(), tuple(map(float, grid.spacing[::-1])))
    size, origin, spacing = reference
    result = sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, origin, spacing, np.eye(3).ravel().tolist(),
                           AIR_HU, sitk.sitkFloat32)  # fmt: skip
    return sitk.GetArrayFromImage(result)


def _block_size(volume: Volume, spacing: tuple[float, ...]) -> list[int]:
    """How many whole voxels of a CT, along each array axis, fit in `spacing` (z, y, x of the patient); at least 1."""
    wanted, found = _along_axes(spacing, volume.affine), spacing_of(volume.affine)[::-1]
    return [max(1, min(int(w / mm + 0.05), n)) for w, mm, n in zip(wanted, found, volume.array.shape, strict=True)]


def _block_means(array: np.ndarray, affine: np.ndarray, factors: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Means over blocks of so many voxels, and their affine; last blocks may be smaller."""
    sizes = [np.minimum(f, n - np.arange(0, n, f)) for n, f in zip(array.shape, factors, strict=True)]
    means = np.empty([len(s) for s in sizes], np.float32)

    def fill(some: range) -> None:
        for z in some:  # a slab at a time, so that no float copy of the whole is made
            planes = sizes[0][z]
            rows = _sums(_sums(array[z * factors[0] :][:planes], planes)[0], factors[1])
            means[z] = _sums(rows.T, factors[2]).T
            means[z] /= (planes * np.multiply.outer(sizes[1], sizes[2])).astype(np.float32)

    side_by_side(fill, parts_of(len(means)))
    moved = shifted_affine(affine, tuple((f - 1) / 2 for f in factors))
    moved[:3, :3] = moved[:3, :3] * factors[::-1]
    return means, moved


def _sums(array: np.ndarray, count: int) -> np.ndarray:
    """Sums of `count` neighbours along the first axis, float32; the last may be of fewer. By whole strides, which is
    several times faster than `np.add.reduceat`."""
    sums = array[::count].astype(np.float32)
    for offset in range(1, count):
        further = array[offset::count]
        sums[: len(further)] += further
    return sums


def _along_axes(spacing: tuple[float, ...], affine: np.ndarray) -> list[float]:
    """The upright spacing (z, y, x) along a volume's array axes: that of the patient axis which each follows most."""
    follows = np.abs(affine[:3, :3] / spacing_of(affine)).argmax(0)[::-1]
    return [spacing[2 - axis] for axis in follows]
