"""One image file (NIfTI, NRRD, MetaImage) as an array and its affine, or one sentence that says why not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import prod
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError, KidneyParsingError, OutOfMemoryError
from ..sentences import texts_of
from .damage import damaged
from .geometry import affine_of_image
from .metaimage import check_metaimage
from .nifti import NiftiLayout, check_nifti

_ = texts_of(__name__)

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")


def image_suffix(path: Path) -> str | None:
    """The suffix in `IMAGE_SUFFIXES` that the file name ends in, or None."""
    return next((suffix for suffix in IMAGE_SUFFIXES if path.name.lower().endswith(suffix)), None)


def read_image_file(path: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Array (z, y, x) with the file's rescale applied, in the type it then has, LPS affine, and notes for the user.

    Raises InputError unless the file is a whole, single-channel 3D image.
    """
    _check_name(path)
    with itk_warnings_off():
        reader = read_header(path)
        _check_shape(reader, path)
        image, not_numbers = _read_whole(reader, path)
    array = sitk.GetArrayFromImage(image)
    if not_numbers.size:
        array.flat[not_numbers] = np.nan
    return array, affine_of_image(image), _orientation_notes(reader, path)


@contextmanager
def itk_warnings_off() -> Iterator[None]:
    """No ITK warnings on stderr within."""
    before = sitk.ProcessObject_GetGlobalWarningDisplay()
    sitk.ProcessObject_SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject_SetGlobalWarningDisplay(before)


def _check_name(path: Path) -> None:
    if path.suffix.lower() == ".dcm":
        raise InputError(_("{path} is one DICOM file; give the folder that holds the whole series.").format(path=path))
    if image_suffix(path) is None:
        raise InputError(
            _("{path} is no CT file that we read; give {suffixes} or a DICOM folder.").format(
                path=path, suffixes=", ".join(IMAGE_SUFFIXES)
            )
        )
    if path.stat().st_size == 0:
        raise InputError(_("The file {path} is empty; copy, download or export it again.").format(path=path))


def check_path(path: Path) -> None:
    """Raise InputError for a path that ITK cannot open, or would open another file for."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        text = _("The name {path} is no valid text (UTF-8); rename the file or its folder.")
        raise InputError(text.format(path=ascii(str(path)))) from None
    uncompressed = path.with_suffix("") if path.name.lower().endswith(".nii.gz") else path
    if uncompressed != path and os.path.isfile(uncompressed) and os.path.isfile(path):
        # ITK's NIfTI reader takes the voxels from the file without .gz.
        text = _("{other} lies beside {path} and would be read in its place; rename one of them.")
        raise InputError(text.format(other=uncompressed.name, path=path))


def read_header(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _refusal(path, str(error)) from None
    return reader


def _refusal(path: Path, reason: str) -> KidneyParsingError:
    if "allocate memory" in reason:
        return OutOfMemoryError(
            _("There is too little memory to read {path}; close other programs or crop the CT.").format(path=path)
        )
    if "rthonormal" in reason:
        return InputError(
            _("The axes of {path} are not at right angles; resample it onto a regular grid first.").format(path=path)
        )
    if "determine ImageIO" in reason:
        kind = image_suffix(path)
        return InputError(
            _("{path} is damaged or is not a {kind} image; export the CT again as {kind}.").format(path=path, kind=kind)
        )
    return damaged(path)


def _check_shape(reader: sitk.ImageFileReader, path: Path) -> None:
    size = reader.GetSize()
    if reader.GetNumberOfComponents() > 1 or "complex" in sitk.GetPixelIDValueAsString(reader.GetPixelID()):
        raise InputError(
            _("{path} holds colours or vectors, not one CT value per voxel; give the original CT volume.").format(
                path=path
            )
        )
    if len(size) < 3 or min(size[:3]) == 1:
        raise InputError(_("{path} is a 2D image; give a CT volume with all its slices.").format(path=path))
    if prod(size[3:]) > 1:
        shape = " x ".join(map(str, size))
        raise InputError(
            _("{path} is a {dimensions}D image ({shape}); save the one phase to segment as a 3D volume.").format(
                path=path, dimensions=len(size), shape=shape
            )
        )


def _read_whole(reader: sitk.ImageFileReader, path: Path) -> tuple[sitk.Image, np.ndarray]:
    """The image, and flat indices of voxels without a number. NIfTI files, which ITK takes whatever they lack, are
    read and looked through at the same time."""
    if image_suffix(path) in (".nii", ".nii.gz"):
        return _read_nifti(reader, path)
    # NRRD needs no look: its reader itself refuses a short or damaged file.
    if image_suffix(path) in (".mha", ".mhd"):
        voxel_bytes = sitk.Image([1, 1], reader.GetPixelID()).GetSizeOfPixelComponent()
        check_metaimage(path, prod(reader.GetSize()) * voxel_bytes)
    return _read_voxels(reader, path), np.empty(0, int)


def _read_nifti(reader: sitk.ImageFileReader, path: Path) -> tuple[sitk.Image, np.ndarray]:
    layout = NiftiLayout.of(reader)  # before the threads part: the reader forgets its header for a moment in Execute
    with ThreadPoolExecutor(1) as pool:
        check = pool.submit(check_nifti, path, layout)
        try:
            image = _read_voxels(reader, path)
        except KidneyParsingError:
            check.result()  # knows better what is wrong with the file
            raise
        return image, check.result()


def _read_voxels(reader: sitk.ImageFileReader, path: Path) -> sitk.Image:
    size = reader.GetSize()
    reader.SetExtractSize([*size[:3], *[0] * (len(size) - 3)])
    try:
        return reader.Execute()
    except RuntimeError as error:
        raise _refusal(path, str(error)) from None


def _orientation_notes(reader: sitk.ImageFileReader, path: Path) -> list[str]:
    codes = [reader.GetMetaData(key) for key in ("qform_code", "sform_code") if reader.HasMetaDataKey(key)]
    is_silent_nrrd = image_suffix(path) in (".nrrd", ".nhdr") and not reader.HasMetaDataKey("NRRD_space")
    if is_silent_nrrd or (codes and all(code in ("0", "") for code in codes)):
        return [_("The file does not state its orientation: right and left may be exchanged.")]
    return []
