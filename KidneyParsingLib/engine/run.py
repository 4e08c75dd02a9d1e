"""One run of the engine: CT file in, label map file out, with progress and cancelling."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..errors import Cancelled
from ..inference.options import Options
from ..progress import Progress
from ..volumes.volume import LabelMap, Volume
from .messages import ProgressReply, Reply, ResultReply, SegmentRequest

_READ_FRACTION = 0.04
_WRITE_FRACTION = 0.97
_SECONDS_BETWEEN_REPLIES = 0.05


class Parser(Protocol):
    """What a run needs of `inference.parser.KidneyParser`."""

    def parse(self, volume: Volume, progress: Progress) -> LabelMap:
        """The segments of a CT, on its own grid."""


class Run:
    """Carries out one SegmentRequest; `cancel` and `discard` may be called from another thread meanwhile."""

    def __init__(self, request: SegmentRequest, send: Callable[[Reply], None]) -> None:
        self.request = request
        self._send = send
        self._cancelled = threading.Event()
        self._last = ProgressReply(request.id, 0.0, "")
        self._last_time = 0.0
        self._folder: Path | None = None

    def cancel(self) -> None:
        """Let the next call of `progress` raise Cancelled."""
        self._cancelled.set()

    def discard(self) -> None:
        """Remove what was written so far."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, parser_for: Callable[[Options], Parser]) -> ResultReply:
        """Do the whole run. Raises Cancelled, or whatever reading, parsing or writing raises; then nothing is left."""
        from ..volumes.reading import read_ct
        from ..volumes.writing import check_writable

        start = time.perf_counter()
        check_writable(self.request.output)
        self.progress(0.0, "Reading the CT")
        volume = read_ct(self.request.ct)
        self.progress(_READ_FRACTION, "Loading the network")
        label_map = parser_for(self.request.options).parse(volume, self._parsing_progress)
        self.progress(_WRITE_FRACTION, "Writing the segments")
        self._write(label_map)
        notes = tuple(dict.fromkeys((*volume.notes, *label_map.notes)))
        seconds = time.perf_counter() - start
        return ResultReply(self.request.id, self.request.output, label_map.volumes_ml(), notes, seconds)

    def progress(self, fraction: float, phase: str) -> None:
        """Report progress of the whole run, but not so often as to flood the reader. Raises Cancelled if asked to."""
        if self._cancelled.is_set():
            raise Cancelled("The run was cancelled.")
        now = time.monotonic()
        if phase == self._last.phase and now - self._last_time < _SECONDS_BETWEEN_REPLIES:
            return
        fraction = max(self._last.fraction, min(1.0, float(fraction)))
        self._last, self._last_time = ProgressReply(self.request.id, fraction, phase), now
        self._send(self._last)

    def _parsing_progress(self, fraction: float, phase: str) -> None:
        self.progress(_READ_FRACTION + fraction * (_WRITE_FRACTION - _READ_FRACTION), phase)

    def _write(self, label_map: LabelMap) -> None:
        from ..volumes.writing import write_label_map

        output = Path(self.request.output)
        # A folder, not a file: also what the writer leaves beside its file when killed half-way goes with it.
        self._folder = Path(tempfile.mkdtemp(prefix=".kidneyparsing-", dir=output.parent))
        try:
            write_label_map(label_map, self._folder / output.name)
            if self._cancelled.is_set():
                raise Cancelled("The run was cancelled.")
            os.replace(self._folder / output.name, output)
        finally:
            self.discard()
