"""The CT series that a DICOM Segmentation refers to: its headers and its grid."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from ..sentences import texts_of
from .dicom import stack_of
from .slices import evenly_spaced, stack_affine

_ = texts_of(__name__)

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


def check_source(source: str | Path | Sequence[str | Path]) -> None:
    """Raise InputError unless `source` is a folder or names files; a look at the path, no more."""
    if not isinstance(source, (str, Path)) or os.path.isdir(source):
        return
    if not os.path.exists(source):
        raise InputError(_("There is no file or folder {source}; check the path.").format(source=source))
    raise InputError(
        _("DICOM SEG refers to the CT's DICOM slices; give their folder, which {source} is not.").format(source=source)
    )


def read_source(source: str | Path | Sequence[str | Path]) -> SourceSeries:
    """The CT series with the most slices in a folder, or among files.

    Raises InputError if there is none, or if it lacks the identifiers that a segmentation must refer to.
    """
    check_source(source)
    if isinstance(source, (str, Path)):
        folder = Path(source)
        files = list(folder.rglob("*"))
    else:
        files = [Path(path) for path in source]
        folder = files[0].parent if files else Path()
    slices, heights = stack_of(files, folder)[:2]
    stack = np.empty((len(heights), 0, 0))
    planes, distance = evenly_spaced(stack, heights)[:2]
    headers = tuple(_header(item.path, folder) for item in slices)
    if len({header.FrameOfReferenceUID for header in headers}) > 1:
        raise InputError(
            _("The slices in {folder} have different frames of reference; export the series again.").format(
                folder=folder
            )
        )
    # Slices whose axes differ in a late digit only are one stack to us, but not to highdicom.
    for header in headers:
        header.ImageOrientationPatient = headers[0].ImageOrientationPatient
    columns, rows = slices[0].size
    affine = stack_affine(slices[0], distance)
    return SourceSeries(headers, (len(planes), rows, columns), affine, is_even=planes is stack)


def _header(path: Path, folder: Path) -> pydicom.Dataset:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    missing = [name for name in _NEEDED if not header.get(name)]
    if missing:
        raise InputError(
            _("The slices in {folder} have no {name}; export the series again with all identifiers.").format(
                folder=folder, name=missing[0]
            )
        )
    for name in _MAY_BE_EMPTY:
        if name not in header:
            setattr(header, name, None)
    if header.PatientSex not in ("M", "F", "O"):
        header.PatientSex = None
    return header
