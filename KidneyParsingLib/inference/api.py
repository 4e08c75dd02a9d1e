"""The library's one-line use from Python."""

from __future__ import annotations

from pathlib import Path

from ..progress import Progress, silent
from ..volumes.reading import read_ct
from ..volumes.volume import LabelMap
from .options import Options
from .parser import KidneyParser


def segment(ct: str | Path, options: Options = Options(), progress: Progress = silent) -> LabelMap:
    """Segments of a CT file or DICOM folder, on the CT's own grid.

    Raises `errors.InputError` if the input cannot be used. To parse many CTs, keep one `KidneyParser`.
    """
    volume = read_ct(ct)
    return KidneyParser(options).parse(volume, progress)
