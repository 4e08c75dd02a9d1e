"""One run of the engine: CT file in, label map file out, with progress and cancelling."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from ..errors import Cancelled
from ..inference.options import Options
from ..progress import PhaseTimes, Progress, TimeLeft
from ..sentences import texts_of
from ..threads import check_threads
from ..volumes.volume import LabelMap, Volume
from .long_call import LongCall
from .messages import ProgressReply, Reply, ResultReply, SegmentRequest
from .scratch import make_scratch_folder, remove_abandoned

_ = texts_of(__name__)

_READ_FRACTION = 0.04
_WRITE_FRACTION = 0.97
_SECONDS_BETWEEN_REPLIES = 0.05
# The parser's last word, after which nothing is left to do in it.
_DONE = "Done"


class Parser(Protocol):
    """What a run needs of `inference.parser.KidneyParser`."""

    def parse(self, volume: Volume, progress: Progress) -> LabelMap:
        """The segments of a CT, on its own grid."""


# The parser for the options and the number of threads; calls the check meanwhile, which raises Cancelled.
ParserSource = Callable[[Options, "int | None", Callable[[], None]], Parser]


class Run:
    """Carries out one SegmentRequest; `cancel` and `discard` may be called from another thread meanwhile."""

    def __init__(self, request: SegmentRequest, send: Callable[[Reply], None]) -> None:
        self.request = request
        self._send = send
        self._lock = threading.Lock()
        self._begun = False
        self._cancelled = threading.Event()
        self._last = ProgressReply(request.id, 0.0, "")
        self._last_time = 0.0
        self._time_left: TimeLeft | None = None
        self._phases = PhaseTimes()
        self._folder: Path | None = None

    def cancel(self) -> bool:
        """Let the run end soon with Cancelled; returns whether it had not begun, and then it never will."""
        with self._lock:
            self._cancelled.set()
            return not self._begun

    def begin(self) -> bool:
        """To be called before `execute`: whether the run may begin, which it may not if it was cancelled before."""
        with self._lock:
            self._begun = not self._cancelled.is_set()
            return self._begun

    def discard(self) -> None:
        """Remove what was written so far."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, parser_for: ParserSource) -> ResultReply:
        """Do the whole run. Raises Cancelled, or whatever reading, parsing or writing raises; then nothing is left."""
        start = time.perf_counter()
        self._phases = PhaseTimes()
        options = self._checked_options()
        volume = self._read()
        self.progress(_READ_FRACTION, _("Loading the network"))
        parser = parser_for(options, self.request.threads, self.check)
        self._time_left = TimeLeft()
        label_map = parser.parse(volume, self._parsing_progress)
        self.progress(_WRITE_FRACTION, _("Writing the segments"))
        self._write(label_map)
        return self._result(volume, label_map, time.perf_counter() - start)

    def check(self) -> None:
        """Raise Cancelled if the run was cancelled."""
        if self._cancelled.is_set():
            raise Cancelled("The run was cancelled.")

    def progress(self, fraction: float, phase: str) -> None:
        """Report progress of the whole run, but not so often as to flood the reader. Raises Cancelled if asked to."""
        self.check()
        fraction = max(self._last.fraction, min(1.0, float(fraction)))
        left = self._time_left.seconds(fraction) if self._time_left else None
        if phase != self._last.phase:
            self._phases.enter(phase)
        elif time.monotonic() - self._last_time < _SECONDS_BETWEEN_REPLIES:
            return
        self._last = ProgressReply(self.request.id, fraction, phase, None if left is None else round(left, 1))
        self._last_time = time.monotonic()
        self._send(self._last)

    def _parsing_progress(self, fraction: float, phase: str) -> None:
        self.progress(_READ_FRACTION + fraction * (_WRITE_FRACTION - _READ_FRACTION), phase)

    def _checked_options(self) -> Options:
        """The options, after all that can be checked before the work."""
        from ..volumes.writing import check_apart, check_writable

        check_threads(self.request.threads)
        check_writable(self.request.output)
        check_apart([self.request.ct], [self.request.output])
        remove_abandoned(Path(self.request.output).parent)
        return self.request.options

    def _read(self) -> Volume:
        from ..volumes.reading import read_ct

        self.progress(0.0, _("Reading the CT"))
        return LongCall(lambda: read_ct(self.request.ct)).result(self.check)

    def _write(self, label_map: LabelMap) -> None:
        output = Path(self.request.output)
        self._folder = make_scratch_folder(output.parent)
        unfinished = self._folder / output.name
        try:
            LongCall(lambda: self._write_file(label_map, unfinished)).result(self.check)
            self.check()
            os.replace(unfinished, output)
        finally:
            self.discard()

    def _write_file(self, label_map: LabelMap, path: Path) -> None:
        from ..volumes.writing import write_label_map

        try:
            write_label_map(label_map, path)
        finally:
            # Nobody waits any more, and what was removed at that time may have come back.
            if self._cancelled.is_set():
                self.discard()

    def _result(self, volume: Volume, label_map: LabelMap, seconds: float) -> ResultReply:
        notes = tuple(dict.fromkeys((*volume.notes, *label_map.notes)))
        places = tuple(asdict(place) for place in label_map.places)
        phases = {phase: spent for phase, spent in self._phases.seconds().items() if phase != _DONE}
        request = self.request
        return ResultReply(request.id, request.output, label_map.volumes_ml(), notes, seconds, phases, places)
