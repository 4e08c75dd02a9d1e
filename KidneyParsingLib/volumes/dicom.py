"""A DICOM folder as one CT volume: headers by pydicom, voxels by GDCM (in SimpleITK), which unpacks every syntax."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk

from ..errors import InputError
from ..sentences import texts_of
from .image_files import itk_warnings_off
from .slices import Slice, check_stack, evenly_spaced, in_order, largest_grid, stack_affine

_ = texts_of(__name__)

_TAGS = [
    "Modality", "ImageType", "SeriesInstanceUID", "SeriesDescription", "AcquisitionNumber", "InstanceNumber",
    "NumberOfFrames", "SamplesPerPixel", "Rows", "Columns", "PixelSpacing",
    "ImageOrientationPatient", "ImagePositionPatient",
]  # fmt: skip


def read_dicom_folder(folder: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The CT series with the most slices below `folder`: array (z, y, x) in HU, LPS affine, and notes for the user.

    Slices run up the normal of the image plane, whatever their names and numbers. Raises InputError if there is no CT
    series, or if slices are missing, tilted or damaged.
    """
    slices, heights, notes = stack_of(folder.rglob("*"), folder)
    voxels, distance, gap_notes = evenly_spaced(_read_voxels(slices), heights)
    return voxels, stack_affine(slices[0], distance), [*notes, *gap_notes]


def stack_of(files: Iterable[Path], folder: Path) -> tuple[list[Slice], np.ndarray, list[str]]:
    """The CT series with the most slices among `files`: its slices up the normal, their heights in mm, and notes.

    Reads headers only. Raises InputError as `read_dicom_folder` does; `folder` is named in it.
    """
    slices, notes = _largest_series(files, folder)
    slices, heights, stack_notes = _stacked(slices)
    if len(slices) < 2:
        raise _no_ct(folder)
    check_stack(slices, heights, folder)
    return slices, heights, [*notes, *stack_notes]


def _largest_series(files: Iterable[Path], folder: Path) -> tuple[list[Slice], list[str]]:
    series: dict[str, list[Slice]] = defaultdict(list)
    for item in map(_read_slice, sorted(files)):
        if item:
            series[item.series].append(item)
    volumes = [slices for slices in series.values() if len(slices) > 1]
    if not volumes:
        raise _no_ct(folder)
    largest = max(volumes, key=len)
    if len(volumes) == 1:
        return largest, []
    note = _("The folder holds {count} CT series: took the largest, {title!r} ({slices} slices).")
    return largest, [note.format(count=len(volumes), title=largest[0].title, slices=len(largest))]


def _no_ct(folder: Path) -> InputError:
    return InputError(
        _("There is no CT series in the folder {folder}; give a folder with the DICOM slices of one CT.").format(
            folder=folder
        )
    )


def _stacked(slices: list[Slice]) -> tuple[list[Slice], np.ndarray, list[str]]:
    alike = largest_grid(slices)
    ordered, heights = in_order(alike)
    notes = []
    if len(alike) < len(slices):
        note = _("{count} slice(s) of another size or orientation were left out.")
        notes.append(note.format(count=len(slices) - len(alike)))
    if len(ordered) < len(alike):
        note = _("{count} slice(s) at a place already taken were left out.")
        notes.append(note.format(count=len(alike) - len(ordered)))
    return ordered, heights, notes


def _read_slice(path: Path) -> Slice | None:
    """The header of one file, or None if it is no image of a CT volume."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _slice_of(path, pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS))
    # A stray file among the slices may fail in any way, and must not hide the series.
    except Exception:
        return None


def _slice_of(path: Path, header: pydicom.Dataset) -> Slice | None:
    is_plane = (header.get("NumberOfFrames") or 1) == 1 and (header.get("SamplesPerPixel") or 1) == 1  # and no colours
    if header.Modality != "CT" or "LOCALIZER" in header.get("ImageType", ()) or not is_plane:
        return None
    row_distance, column_distance = map(float, header.PixelSpacing)
    return Slice(
        path,
        str(header.SeriesInstanceUID),
        str(header.get("SeriesDescription") or "") or _("without a name"),
        (int(header.Columns), int(header.Rows)),
        (column_distance, row_distance),
        _floats(header.ImageOrientationPatient, 6),
        _floats(header.ImagePositionPatient, 3),
        (int(header.get("AcquisitionNumber") or 0), int(header.get("InstanceNumber") or 0)),
    )


def _floats(values: pydicom.multival.MultiValue, count: int) -> tuple[float, ...]:
    numbers = tuple(map(float, values))
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"{count} numbers expected, found {numbers}")
    return numbers


def _read_voxels(slices: list[Slice]) -> np.ndarray:
    with itk_warnings_off():
        return np.stack([_read_plane(item) for item in slices])


def _read_plane(item: Slice) -> np.ndarray:
    """HU (y, x) of one slice."""
    try:
        plane = sitk.GetArrayFromImage(sitk.ReadImage(str(item.path), imageIO="GDCMImageIO"))
    except RuntimeError:
        raise InputError(
            _("The DICOM slice {path} is damaged; export the series again.").format(path=item.path)
        ) from None
    return plane.reshape(item.size[::-1])
