"""What ITK passes over in silence in a NIfTI file: missing data, damage, and voxels that are no number."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .damage import damaged

_CHUNK = 1 << 20
_FLOATS = {"16": "f4", "64": "f8"}
# Of NIfTI-1 and NIfTI-2: the first number of the file, and so the mark of its byte order.
_HEADER_SIZES = (348, 540)
# What else a file may hold beside header and voxels.
_MOST_EXTENSIONS = 1 << 16


@dataclass(frozen=True)
class NiftiLayout:
    """Where the voxels are in the unpacked file: from byte `start` on, `length` bytes of NIfTI type code `datatype`."""

    start: int
    length: int
    datatype: str

    @classmethod
    def of(cls, reader: sitk.ImageFileReader) -> NiftiLayout:
        """The layout that a reader found in the header."""
        bits = int(np.prod(reader.GetSize())) * int(reader.GetMetaData("bitpix"))
        return cls(int(float(reader.GetMetaData("vox_offset"))), bits // 8, reader.GetMetaData("datatype"))


def check_nifti(path: Path, layout: NiftiLayout) -> np.ndarray:
    """Read the file to its end and return the flat indices (x fastest) of voxels that are NaN or infinite.

    ITK reads such voxels as 0, which is water, and the missing end of a file as anything. Raises InputError if the
    file is short, or if its gzip checksum is wrong.
    """
    kind = _FLOATS.get(layout.datatype)
    found, length = [np.empty(0, int)], 0
    try:
        for chunk, order in _voxel_chunks(path, layout):
            if kind:
                found.append(length // np.dtype(kind).itemsize + _not_numbers(chunk, order + kind))
            length += len(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise damaged(path) from None
    if length < layout.length:
        raise damaged(path)
    return np.concatenate(found)


def is_written_whole(path: Path, voxel_bytes: int) -> bool:
    """Whether a NIfTI file that was just written has its end: by its size, or where it is compressed by the length that
    gzip notes in its last four bytes."""
    size = path.stat().st_size
    if not path.name.lower().endswith(".gz"):
        return size >= voxel_bytes + _HEADER_SIZES[0]
    with path.open("rb") as stream:
        stream.seek(max(size - 4, 0))
        length = int.from_bytes(stream.read(4), "little")
    return (length - voxel_bytes - _HEADER_SIZES[0]) % 2**32 < _MOST_EXTENSIONS


def _voxel_chunks(path: Path, layout: NiftiLayout) -> Iterator[tuple[bytes, str]]:
    """The voxels' bytes in turn, each with the byte order; goes on to the end of the file for gzip's checksum."""
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
        header = stream.read(layout.start)
        order = "<" if int.from_bytes(header[:4], "little") in _HEADER_SIZES else ">"
        left = layout.length
        for chunk in iter(partial(stream.read, _CHUNK), b""):
            yield chunk[:left], order
            left = max(left - len(chunk), 0)


def _not_numbers(chunk: bytes, kind: str) -> np.ndarray:
    whole = len(chunk) - len(chunk) % np.dtype(kind).itemsize
    return np.flatnonzero(~np.isfinite(np.frombuffer(chunk[:whole], kind)))
