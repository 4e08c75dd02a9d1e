"""Is a MetaImage file whole? ITK reads a damaged one with no more than a line on stderr, so we look first."""

from __future__ import annotations

import zlib
from functools import partial
from pathlib import Path

from ..errors import InputError
from ..sentences import texts_of
from .damage import damaged

_ = texts_of(__name__)

_CHUNK = 1 << 20
_MAX_HEADER_LINES = 200


def check_metaimage(path: Path, voxel_bytes: int) -> None:
    """Raise InputError unless the data of a .mha or .mhd file come to `voxel_bytes` bytes once unpacked.

    Data spread over a list or a pattern of files are not looked at.
    """
    fields, header_end = _metaimage_header(path)
    name = fields.get("ElementDataFile", "")
    if "%" in name or name.upper().startswith("LIST"):
        return
    local = name.upper() == "LOCAL"
    data = path if local else path.parent / name
    if not data.is_file():
        raise InputError(
            _("The header {path} names the data file {name}, which is missing; put it beside the header.").format(
                path=path, name=name
            )
        )
    start = header_end if local else max(int(fields.get("HeaderSize", 0)), 0)
    compressed = fields.get("CompressedData", "False").lower() == "true"
    found = _zlib_length(data, start) if compressed else data.stat().st_size - start
    if found is None or found < voxel_bytes:
        raise damaged(path)


def _zlib_length(path: Path, start: int) -> int | None:
    """Length once unpacked of the zlib or gzip stream from byte `start`, or None if it is cut off or damaged."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            length = sum(len(unpacker.decompress(chunk)) for chunk in iter(partial(stream.read, _CHUNK), b""))
    except zlib.error:
        return None
    return length if unpacker.eof else None


def _metaimage_header(path: Path) -> tuple[dict[str, str], int]:
    """Header fields and the offset of the byte after them; `ElementDataFile` is the last field by definition."""
    fields: dict[str, str] = {}
    with path.open("rb") as stream:
        for _ in range(_MAX_HEADER_LINES):
            key, _, value = stream.readline(_CHUNK).decode("latin-1").partition("=")
            fields[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                return fields, stream.tell()
    raise damaged(path)
