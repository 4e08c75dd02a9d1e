"""How the slices of a CT series stack up: order, duplicates, gaps, tilt. Pure geometry, in LPS mm as DICOM has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..sentences import texts_of
from .geometry import make_affine

_ = texts_of(__name__)

_SAME_POSITION_MM = 0.01
_MAX_DRIFT_MM = 0.5
_GAP_TOLERANCE = 0.01
_GAP_TOLERANCE_MM = 0.05
_MISSING_SLICES = 3.0
_SAME_GRID = 1e-3


@dataclass(frozen=True)
class Slice:
    """One CT image: where it lies and how its series calls itself.

    `size` is (columns, rows); `spacing` (x, y) in mm; `axes` the six cosines of ImageOrientationPatient; `position`
    that of the first voxel's centre; `order` (acquisition, instance) as numbered by the scanner.
    """

    path: Path
    series: str
    title: str
    size: tuple[int, int]
    spacing: tuple[float, float]
    axes: tuple[float, ...]
    position: tuple[float, ...]
    order: tuple[int, int]


def largest_grid(slices: list[Slice]) -> list[Slice]:
    """The largest set of slices that share size, spacing and orientation (the first of equals)."""
    groups: list[list[Slice]] = []
    for item in slices:
        home = next((group for group in groups if _same_grid(group[0], item)), None)
        groups.append([item]) if home is None else home.append(item)
    return max(groups, key=len)


def direction_of_slice(item: Slice) -> np.ndarray:
    """3x3 direction whose columns are the unit vectors of rows, columns and the normal."""
    row, column = np.array(item.axes[:3]), np.array(item.axes[3:])
    row, column = row / np.linalg.norm(row), column / np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)], axis=1)


def in_order(slices: list[Slice]) -> tuple[list[Slice], np.ndarray]:
    """Slices by increasing height along the normal, one for each height (the scanner's first), and heights in mm."""
    normal = direction_of_slice(slices[0])[:, 2]
    by_number = sorted(slices, key=lambda item: (item.order, str(item.path)))
    heights = np.array([item.position for item in by_number]) @ normal
    kept: list[int] = []
    # A stable sort keeps the scanner's order among slices of one height (a second phase, or a copied file).
    for index in np.argsort(np.round(heights / _SAME_POSITION_MM), kind="stable"):
        if not kept or heights[index] - heights[kept[-1]] > _SAME_POSITION_MM:
            kept.append(int(index))
    return [by_number[index] for index in kept], heights[kept]


def check_stack(slices: list[Slice], heights: np.ndarray, folder: Path) -> None:
    """Raise InputError if slices of the ordered stack are missing or shifted sideways (gantry tilt)."""
    normal = direction_of_slice(slices[0])[:, 2]
    positions = np.array([item.position for item in slices])
    sideways = positions - positions[0] - np.outer(heights - heights[0], normal)
    if np.linalg.norm(sideways, axis=1).max() > _MAX_DRIFT_MM:
        raise InputError(
            _("The slices in {folder} are sheared (gantry tilt); resample them onto a right-angled grid.").format(
                folder=folder
            )
        )
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    if gaps.max() > _MISSING_SLICES * usual:
        text = _(
            "Slices are missing in {folder} (a gap of {gap:.1f} mm where {usual:.1f} mm is usual); export the whole "
            "series again."
        )
        raise InputError(text.format(folder=folder, gap=gaps.max(), usual=usual))


def evenly_spaced(voxels: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, float, list[str]]:
    """The stack (z, y, x) at one slice distance, that distance in mm, and notes.

    Uneven slices are interpolated linearly onto their median distance; even ones stay as they are.
    """
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    if np.abs(gaps - usual).max() <= max(_GAP_TOLERANCE * usual, _GAP_TOLERANCE_MM):
        return voxels, float(gaps.mean()), []
    note = _("The slice distance varies from {least:.2f} to {most:.2f} mm: resampled to {usual:.2f} mm.")
    return _interpolated(voxels, heights, usual), usual, [note.format(least=gaps.min(), most=gaps.max(), usual=usual)]


def stack_affine(first: Slice, distance: float) -> np.ndarray:
    """LPS affine of a stack that begins with `first` and goes on every `distance` mm along the normal."""
    return make_affine((*first.spacing, distance), first.position, direction_of_slice(first))


def _same_grid(a: Slice, b: Slice) -> bool:
    return a.size == b.size and np.allclose((*a.axes, *a.spacing), (*b.axes, *b.spacing), rtol=0, atol=_SAME_GRID)


def _interpolated(voxels: np.ndarray, heights: np.ndarray, distance: float) -> np.ndarray:
    count = int((heights[-1] - heights[0]) / distance + 1e-6) + 1
    places = np.interp(heights[0] + distance * np.arange(count), heights, np.arange(len(heights)))
    below = np.minimum(places.astype(int), len(heights) - 2)
    result = np.empty((count, *voxels.shape[1:]), np.float32)
    for target, lower in enumerate(below):
        weight = places[target] - lower
        result[target] = (1 - weight) * voxels[lower] + weight * voxels[lower + 1]
    return result
