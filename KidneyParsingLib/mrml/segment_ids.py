"""What a segment's id says about it."""

from __future__ import annotations

from ..anatomy import STRUCTURES, Structure

_BY_NAME = {entry.name: entry for entry in STRUCTURES}


def structure_of(segment_id: str) -> Structure | None:
    """The structure whose segment this is (`kidney_left`, `tumor_2`), or None for a segment that is not ours."""
    return _BY_NAME.get(segment_id.split("_")[0])
