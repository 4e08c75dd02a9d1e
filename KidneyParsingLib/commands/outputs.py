"""Where results go: names made and checked before any work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ..volumes.volume import LabelMap

PICTURE_SUFFIXES = (".png",)
REVIEW_SUFFIXES = (".json",)
MAP_SUFFIXES = (".nii.gz", ".nii")


def check_output(ct: str, output: str | None) -> Path:
    """The file to write for this CT, by the rules of `-o`; without it `<ct stem>.seg.nrrd` in the current folder.

    `output` may name a file, or a folder by existing or ending in /. Raises InputError if it cannot be written, would
    replace the CT, or is a default name that is taken.
    """
    from ..volumes.writing import DICOM_SEG_SUFFIXES, LABEL_MAP_SUFFIXES, check_apart, check_writable

    path = _output_path(ct, output)
    if is_dicom(path):
        from ..volumes.dicom_seg import check_dicom_seg

        check_dicom_seg(ct)
    # os.path answers False where Path raises: for a name that is too long, say.
    if (output is None or _is_folder(output)) and os.path.exists(path):
        raise InputError(f"{path} exists already; name it with -o to replace it, or name another file.")
    check_apart([ct], [path])
    is_in_new_folder = output is not None and _is_folder(output) and not os.path.exists(path.parent)
    checked = path.parent.with_name(path.name) if is_in_new_folder else path
    check_writable(checked, (*LABEL_MAP_SUFFIXES, *DICOM_SEG_SUFFIXES))
    return path


def is_dicom(path: Path) -> bool:
    """Whether a file of this name is to be a DICOM Segmentation."""
    from ..volumes.writing import DICOM_SEG_SUFFIXES

    return path.name.lower().endswith(DICOM_SEG_SUFFIXES)


def write_segments(label_map: LabelMap, ct: str | None, path: Path, model: str | None = None) -> None:
    """Write the label map in the format that the name of `path` says; `ct` is the folder that DICOM SEG refers to."""
    from ..volumes.writing import write_label_map

    if is_dicom(path):
        from ..volumes.dicom_seg import write_dicom_seg

        write_dicom_seg(label_map, ct, path, model)
    else:
        write_label_map(label_map, path)


@dataclass(frozen=True)
class Extras:
    """Files that are written besides the segments, None where they are not wanted."""

    picture: Path | None = None
    review: Path | None = None
    uncertainty: Path | None = None


def check_extras(ct: str, output: Path, picture: str | None, review: str | None, uncertainty: str | None) -> Extras:
    """The paths of these files. Raises InputError if one could not be made or written, or would replace the CT or
    another result."""
    from ..volumes.writing import check_apart

    checked = [
        _checked(path, suffixes)
        for path, suffixes in ((picture, PICTURE_SUFFIXES), (review, REVIEW_SUFFIXES), (uncertainty, MAP_SUFFIXES))
    ]
    if picture is not None and find_spec("slicer") is None:
        raise InputError("Rendering needs slicer-core; pip install slicer-core, or leave out --render.")
    check_apart([ct], [path for path in (output, *checked) if path is not None])
    return Extras(*checked)


def _checked(path: str | None, suffixes: tuple[str, ...]) -> Path | None:
    from ..volumes.writing import check_writable

    if path is None:
        return None
    check_writable(path, suffixes)
    return Path(path)


@contextmanager
def folder_made(folder: Path) -> Iterator[None]:
    """The folder exists within the block, and afterwards only if it did before or the block ended well."""
    new = not folder.exists()
    folder.mkdir(exist_ok=True)
    try:
        yield
    except BaseException:
        if new:
            folder.rmdir()
        raise


def _output_path(ct: str, output: str | None) -> Path:
    default = f"{_stem(ct)}.seg.nrrd"
    if output is None:
        return Path(default)
    return Path(output) / default if _is_folder(output) else Path(output)


def _is_folder(output: str) -> bool:
    return output.endswith((os.sep, os.altsep or os.sep)) or os.path.isdir(output)


def _stem(ct: str) -> str:
    from ..volumes.image_files import image_suffix

    path = Path(os.path.abspath(ct))  # not resolved: a link is called what its user called it
    return path.name.removesuffix(path.name[-len(suffix) :]) if (suffix := image_suffix(path)) else path.name
