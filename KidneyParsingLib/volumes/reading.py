"""CT in: any supported file or DICOM folder becomes a checked `Volume` in HU on its own grid."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..sentences import texts_of
from .geometry import direction_of, spacing_of
from .image_files import check_path, read_image_file
from .volume import Volume

_ = texts_of(__name__)

AIR_HU = -1024
_MAX_HU = np.iinfo(np.int16).max
_MIN_VOXELS = 8
_MIN_EXTENT_MM = 30.0
_MAX_EXTENT_MM = 3000.0
# Of the two shorter sides.
_MAX_WIDTH_MM = 1000.0
_MAX_SKEW = 1e-3


def read_ct(path: str | Path) -> Volume:
    """The CT in an image file (.nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd) or a DICOM folder.

    The grid is kept as it is stored, in any orientation. Rescale slope and intercept are applied; values are rounded
    and clamped to -1024 (scanner padding lies below) .. 32767 HU. Raises InputError with one sentence when the path
    is missing or damaged, or is no 3D volume of at least 8 voxels and 30 mm along every axis.
    """
    path = Path(path)
    # os.path answers False where Path raises: for a name that is too long, say.
    if not os.path.exists(path):
        raise InputError(_("There is no file or folder {path}; check the path.").format(path=path))
    if not os.access(path, os.R_OK):
        raise InputError(_("You may not read {path}; change its permissions.").format(path=path))
    check_path(path)
    array, affine, notes = _read_folder(path) if path.is_dir() else read_image_file(path)
    _check_grid(array.shape, affine, path)
    hu, value_notes = _to_hounsfield(array, path)
    return Volume(hu, affine, (*notes, *value_notes))


def _read_folder(path: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    from .dicom import read_dicom_folder  # pydicom takes a fifth of a second to import

    return read_dicom_folder(path)


def _check_grid(shape: tuple[int, ...], affine: np.ndarray, path: Path) -> None:
    spacing = spacing_of(affine)
    if not np.isfinite(affine).all() or spacing.min() <= 0:
        raise InputError(
            _("The voxel spacing or position in {path} is not a number; export the CT again.").format(path=path)
        )
    direction = direction_of(affine)
    if np.abs(direction.T @ direction - np.eye(3)).max() > _MAX_SKEW:
        raise InputError(
            _("The axes of {path} are not at right angles; resample it onto a regular grid first.").format(path=path)
        )
    size = np.array(shape[::-1])
    if (size * spacing).max() > _MAX_EXTENT_MM:
        extent = (size * spacing).max()
        raise InputError(
            _("{path} is {extent:.0f} mm long, so its spacing is not in mm; export the CT with its spacing.").format(
                path=path, extent=extent
            )
        )
    if sorted(size * spacing)[1] > _MAX_WIDTH_MM:
        raise InputError(
            _("{path} is wider than any patient, so its spacing is not in mm; export the CT with its spacing.").format(
                path=path
            )
        )
    if size.min() < _MIN_VOXELS or (size * spacing).min() < _MIN_EXTENT_MM:
        voxels = " x ".join(map(str, size))
        extent = " x ".join(f"{mm:.0f}" for mm in size * spacing)
        text = _(
            "{path} is too small ({voxels} voxels, {extent} mm); give a CT of at least {fewest} voxels and "
            "{least:.0f} mm a side."
        )
        raise InputError(text.format(path=path, voxels=voxels, extent=extent, fewest=_MIN_VOXELS, least=_MIN_EXTENT_MM))


def _to_hounsfield(array: np.ndarray, path: Path) -> tuple[np.ndarray, list[str]]:
    notes = []
    if array.dtype.kind == "f":
        array, notes = _without_gaps(array, path)
    hu = _clamped(array)
    lowest, highest = hu.min(), hu.max()
    if lowest == highest:
        raise InputError(
            _("Every voxel of {path} has the same value ({lowest}); export the CT again.").format(
                path=path, lowest=lowest
            )
        )
    if lowest >= 0:
        notes.append(_("No value is below 0: this may not be a CT in Hounsfield units."))
    return hu, notes


def _clamped(array: np.ndarray) -> np.ndarray:
    """int16 HU of numbers, rounded and clamped; in place where they are int16, else slice by slice, as copies of a
    whole CT in a wider type would decide the program's peak memory."""
    hu = array if array.dtype == np.int16 and array.flags.writeable else np.empty(array.shape, np.int16)
    for plane, values in zip(hu, array, strict=True):
        # Bounds of type int32: a plain number that uint8 or uint16 cannot hold is an overflow in some numpy releases.
        plane[:] = np.clip(np.rint(values) if values.dtype.kind == "f" else values, np.int32(AIR_HU), np.int32(_MAX_HU))
    return hu


def _without_gaps(array: np.ndarray, path: Path) -> tuple[np.ndarray, list[str]]:
    finite = np.isfinite(array)
    missing = array.size - int(np.count_nonzero(finite))
    if missing == array.size:
        raise InputError(
            _("No voxel of {path} holds a number (all NaN or infinite); export the CT again.").format(path=path)
        )
    if not missing:
        return array, []
    note = _("{missing} voxels without a number were taken as air ({air} HU).")
    return np.where(finite, array, AIR_HU), [note.format(missing=missing, air=AIR_HU)]
