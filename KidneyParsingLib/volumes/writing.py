"""Label maps out (.seg.nrrd, .nii.gz, .nii), whole or not at all, and our .seg.nrrd back in."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..sentences import texts_of
from .geometry import affine_of_image, image_from_array
from .image_files import check_path, itk_warnings_off, read_header
from .nifti import NiftiLayout, check_nifti, is_written_whole
from .segmentation_header import header_of, layers_of
from .volume import LabelMap, Volume

_ = texts_of(__name__)

DICOM_SEG_SUFFIXES = (".dcm",)
LABEL_MAP_SUFFIXES = (".seg.nrrd", ".nii.gz", ".nii")


def check_writable(path: str | Path, suffixes: tuple[str, ...] = LABEL_MAP_SUFFIXES) -> None:
    """Raise InputError unless a file with one of `suffixes` can be written at `path`; leaves nothing behind."""
    path = Path(path)
    _suffix(path, suffixes)
    check_path(path)
    # os.path answers False where Path raises: for a name that is too long, say.
    if os.path.isdir(path):
        raise InputError(_("{path} is a folder; give the name of a file to write.").format(path=path))
    if not os.path.isdir(path.parent):
        raise InputError(
            _("There is no folder {parent} to write {name} into; make it first.").format(
                parent=path.parent, name=path.name
            )
        )
    try:
        with replacing(path, suffixes, keep=False) as trial:
            trial.touch()
    except OSError as error:
        raise _cannot_write(path, error) from None


def check_apart(sources: Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Raise InputError if a file that is to be written would replace a source, or a file in a source's folder, or
    another of the files to be written."""
    names = [os.path.abspath(output) for output in outputs]
    if len(set(names)) < len(names):
        raise InputError(_("Two results would have the same name; choose another for one of them."))
    for source in map(Path, sources):
        for name in names:
            if os.path.abspath(source) == f"{name}.gz":
                text = _("ITK would read {path} in place of {source}; choose another name for the result.")
                raise InputError(text.format(path=name, source=source))
            if os.path.exists(name) and os.path.exists(source) and _holds(source, Path(name)):
                raise InputError(
                    _("{path} is what is read, or a part of it; choose another name for the result.").format(path=name)
                )


def _holds(source: Path, path: Path) -> bool:
    may_be_slice = path.suffix.lower() in ("", *DICOM_SEG_SUFFIXES) and source.is_dir()
    return os.path.samefile(source, path) or (may_be_slice and source.resolve() in path.resolve().parents)


@contextmanager
def replacing(path: Path, suffixes: tuple[str, ...], keep: bool = True) -> Iterator[Path]:
    """A temporary path beside `path`, of the same suffix, that becomes `path` if the block ends well (and `keep`).

    Whatever goes wrong, the temporary file is gone afterwards and an old file at `path` is as it was.
    """
    suffix = _suffix(path, suffixes)
    temporary = path.with_name(f".{path.name[: -len(suffix)]}.{secrets.token_hex(4)}{suffix}")
    try:
        yield temporary
        if keep:
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_label_map(label_map: LabelMap, path: str | Path) -> None:
    """Write the label map on its own grid; the suffix says how. A file at `path` is replaced.

    `.seg.nrrd`: a segmentation for Slicer, one layer of `Segment.value`, with names, colours and codes.
    `.nii.gz`, `.nii`: the structures' labels 1..6. Raises InputError if the path cannot be written.
    """
    path = Path(path)
    check_writable(path)
    image = _segmentation_image(label_map) if path.name.lower().endswith(".seg.nrrd") else _label_image(label_map)
    try:
        with replacing(path, LABEL_MAP_SUFFIXES) as temporary, itk_warnings_off():
            sitk.WriteImage(image, str(temporary), useCompression=not path.name.lower().endswith(".nii"))
            _require_whole(temporary, label_map.array.nbytes)
    except (OSError, RuntimeError) as error:
        raise _cannot_write(path, error) from None


def write_volume(volume: Volume, path: str | Path) -> None:
    """Write a CT as .nii.gz or .nii, int16 HU. A file at `path` is replaced. Raises InputError if it cannot be."""
    suffixes = (".nii.gz", ".nii")
    check_writable(path, suffixes)
    image = image_from_array(volume.array, volume.affine)
    try:
        with replacing(Path(path), suffixes) as temporary, itk_warnings_off():
            sitk.WriteImage(image, str(temporary), useCompression=True)
            _require_whole(temporary, volume.array.nbytes)
    except (OSError, RuntimeError) as error:
        raise _cannot_write(Path(path), error) from None


def _require_whole(path: Path, voxel_bytes: int) -> None:
    """Raise OSError for a NIfTI file without its end: ITK does not where the disk is full."""
    if not path.name.lower().endswith(".nrrd") and not is_written_whole(path, voxel_bytes):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_label_map(path: str | Path) -> LabelMap:
    """The label map in a .seg.nrrd file that we wrote, also after Slicer has saved it again (then on a cropped grid).

    Segments are known by their ids; voxels of the result hold our own `Segment.value`. Raises InputError if the file
    is no such file or holds segments that are not ours.
    """
    path = Path(path)
    image = _read_labels(path)
    layers = layers_of({key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}, path)
    stored = sitk.GetArrayFromImage(image)
    stored = stored.reshape(*stored.shape[:3], -1)
    array = np.zeros(stored.shape[:3], np.uint8)
    for item in layers:
        array[stored[..., item.layer] == item.value] = item.segment.value
    return LabelMap(array, affine_of_image(image), tuple(item.segment for item in layers))


def read_structure_labels(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """uint8 structure labels 1..6 (z, y, x), and the affine, of a .seg.nrrd that we wrote or of an image of labels.

    Raises InputError if the file is missing or no image of whole numbers from 0 to 255.
    """
    path = Path(path)
    if path.name.lower().endswith(".seg.nrrd"):
        label_map = read_label_map(path)
        return label_map.structure_labels(), label_map.affine
    image = _read_labels(path)
    array = sitk.GetArrayFromImage(image)
    if array.ndim != 3 or (array != array.astype(np.uint8)).any():
        raise InputError(
            _("{path} holds no labels: whole numbers from 0 to 255 in a 3D image are needed.").format(path=path)
        )
    return array.astype(np.uint8), affine_of_image(image)


def _read_labels(path: Path) -> sitk.Image:
    if not path.is_file():
        raise InputError(_("There is no file {path}; check the path.").format(path=path))
    check_path(path)
    try:
        with itk_warnings_off():
            image = sitk.ReadImage(str(path))
            if path.name.lower().endswith((".nii", ".nii.gz")):
                check_nifti(path, NiftiLayout.of(read_header(path)))
            return image
    except RuntimeError:
        raise InputError(
            _("{path} cannot be read as a segmentation; give a .seg.nrrd or .nii.gz file.").format(path=path)
        ) from None


def _suffix(path: Path, suffixes: tuple[str, ...]) -> str:
    suffix = next((suffix for suffix in suffixes if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise InputError(
            _("The name {path} does not say a format that we write; end it in {suffixes}.").format(
                path=path, suffixes=" or ".join(suffixes)
            )
        )
    return suffix


def _cannot_write(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or _("the disk may be full")
    return InputError(_("{path} cannot be written ({reason}); choose another folder.").format(path=path, reason=reason))


def _segmentation_image(label_map: LabelMap) -> sitk.Image:
    image = image_from_array(label_map.array, label_map.affine)
    for key, value in header_of(label_map).items():
        image.SetMetaData(key, value)
    return image


def _label_image(label_map: LabelMap) -> sitk.Image:
    return image_from_array(label_map.structure_labels(), label_map.affine)
