"""The CT series that a DICOM Segmentation refers to: its headers, its grid, and a label map brought onto that grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from .dicom import stack_of
from .slices import evenly_spaced, stack_affine
from .volume import LabelMap

# In voxels: how far a label map's voxel may lie from one of the series.
_TOLERANCE = 0.25
# Attributes of type 2: a series may lack them, the segmentation must have them, if only empty.
_MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
_NEEDED = ("StudyInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID")


@dataclass(frozen=True)
class SourceSeries:
    """A CT series: `headers` of its slices (without voxels) in the order of z, and the grid that `read_ct` gives it.

    `is_even` says that the slices are the grid's planes; otherwise the CT was resampled to even distances.
    """

    headers: tuple[pydicom.Dataset, ...]
    shape: tuple[int, int, int]
    affine: np.ndarray
    is_even: bool


def read_source(source: str | Path | Sequence[str | Path]) -> SourceSeries:
    """The CT series with the most slices in a folder, or among files.

    Raises InputError if there is none, or if it lacks the identifiers that a segmentation must refer to.
    """
    if isinstance(source, (str, Path)):
        folder = Path(source)
        files = _files_below(folder)
    else:
        files = [Path(path) for path in source]
        folder = files[0].parent if files else Path()
    slices, heights, _ = stack_of(files, folder)
    planes, distance, _ = evenly_spaced(np.empty((len(heights), 0, 0), np.int16), heights)
    headers = tuple(_header(item.path, folder) for item in slices)
    if len({header.FrameOfReferenceUID for header in headers}) > 1:
        raise InputError(f"The slices in {folder} have different frames of reference; export the series again.")
    # Slices whose axes differ in a late digit only are one stack to us, but not to highdicom.
    for header in headers:
        header.ImageOrientationPatient = headers[0].ImageOrientationPatient
    columns, rows = slices[0].size
    is_even = planes.dtype == np.int16
    return SourceSeries(headers, (len(planes), rows, columns), stack_affine(slices[0], distance), is_even)


def _files_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"DICOM SEG refers to the CT's DICOM slices; give their folder, which {folder} is not.")
    return list(folder.rglob("*"))


def _header(path: Path, folder: Path) -> pydicom.Dataset:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    missing = [name for name in _NEEDED if not header.get(name)]
    if missing:
        raise InputError(f"The slices in {folder} have no {missing[0]}; export the series again with all identifiers.")
    for name in _MAY_BE_EMPTY:
        if name not in header:
            setattr(header, name, None)
    return header


def on_grid(label_map: LabelMap, series: SourceSeries) -> np.ndarray:
    """The label map's array (z, y, x) on the grid of the series, without resampling.

    The label map may be cropped, larger, or have its axes in another order or direction. Raises InputError if its
    voxels are not voxels of the series or a segment reaches beyond it.
    """
    to_series = np.linalg.inv(series.affine) @ label_map.affine
    order, corner = _turned(to_series, label_map.array.shape)
    axes = tuple(2 - axis for axis in order)
    array = label_map.array.transpose(axes[::-1])
    turn = np.rint(to_series[:3, :3])
    array = array[tuple(slice(None, None, -1 if turn[axis].sum() < 0 else 1) for axis in (2, 1, 0))]
    return _pasted(array, corner[::-1], series.shape)


def _turned(to_series: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """For every axis (x, y, z) of the series the label map's axis along it, and the box's first voxel."""
    turn = np.rint(to_series[:3, :3])
    corners = np.array(list(product(*((0, size - 1) for size in shape[::-1])))) @ np.eye(3)
    exact = corners @ to_series[:3, :3].T + to_series[:3, 3]
    rounded = corners @ turn.T + np.rint(to_series[:3, 3])
    is_turn = (np.abs(turn).sum(axis=0) == 1).all() and (np.abs(turn).sum(axis=1) == 1).all()
    if not is_turn or np.abs(exact - rounded).max() > _TOLERANCE:
        raise InputError(
            "The segmentation does not lie on the voxels of this DICOM series; give the series that was segmented."
        )
    return np.abs(turn).argmax(axis=1), rounded.min(axis=0).astype(int)


def _pasted(array: np.ndarray, corner: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    result = np.zeros(shape, array.dtype)
    low = np.maximum(corner, 0)
    high = np.minimum(corner + array.shape, shape)
    inside = np.zeros(array.shape, bool)
    if (high > low).all():
        source = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, corner))
        result[tuple(slice(a, b) for a, b in zip(low, high))] = array[source]
        inside[source] = True
    if array[~inside].any():
        raise InputError("The segmentation reaches beyond this DICOM series; give the series that was segmented.")
    return result
