"""A Python client of the engine without Qt, for scripts and tests."""

from __future__ import annotations

import itertools
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from ..errors import Cancelled, InputError, KidneyParsingError, OutOfMemoryError
from ..inference.options import Options
from ..progress import Progress, silent
from ..sentences import texts_of
from .messages import (
    CancelledReply,
    CancelRequest,
    ErrorReply,
    LogReply,
    MessageError,
    ProgressReply,
    ReadyReply,
    Reply,
    Request,
    ResultReply,
    SegmentRequest,
    ShutdownRequest,
    decode,
    encode,
)
from .scratch import remove_abandoned

_ = texts_of(__name__)

_MAIN = Path(__file__).with_name("__main__.py")
# The engine answers a cancel well within this time, or is killed so that the caller waits no longer than half a second.
_CANCEL_SECONDS = 0.4
_POLL_SECONDS = 0.05
_CLOSE_SECONDS = 2.0
_DEFAULTS = Options()
_ERRORS = {error.exit_code: error for error in (InputError, OutOfMemoryError)}


class EngineClient:
    """Starts the engine and asks it for segmentations, one at a time; a context manager.

    with EngineClient() as engine:
        result = engine.segment("ct.nrrd", "out.seg.nrrd", progress=print)
    """

    def __init__(
        self, command: Sequence[str] = (sys.executable, str(_MAIN)), log: Callable[[str], None] = print
    ) -> None:
        self._command = list(command)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._replies: queue.Queue[Reply | None] = queue.Queue()
        self._numbers = itertools.count(1)
        self._cancel_requested = threading.Event()
        self.pid: int | None = None

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def segment(
        self,
        ct: str | Path,
        output: str | Path,
        options: Options = _DEFAULTS,
        progress: Progress = silent,
        threads: int | None = None,
    ) -> ResultReply:
        """Segment a CT file into a file; starts the engine if need be, which uses `threads` (None: all cores but one).

        `progress` is called on this thread and may raise Cancelled. Raises Cancelled, or the KidneyParsingError that
        the engine reports (also when the engine dies).
        """
        self._cancel_requested.clear()
        self._ensure_started()
        id, target = str(next(self._numbers)), Path(output).resolve()
        self._send(SegmentRequest.of(id, str(Path(ct).resolve()), str(target), options, threads))
        try:
            return self._wait_for_result(id, progress)
        except BaseException:
            # Also after an error of `progress`, or Ctrl-C: a run whose result nobody awaits must not go on.
            self._send(CancelRequest(id))
            raise
        finally:
            if self._process is None:
                remove_abandoned(target.parent)

    def cancel(self) -> None:
        """Let the `segment` call that runs now, on another thread, raise Cancelled within about half a second."""
        self._cancel_requested.set()

    def close(self) -> None:
        """End the engine."""
        if self._process is None:
            return
        self._send(ShutdownRequest())
        self._stop(_CLOSE_SECONDS)

    def _ensure_started(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._stop(0)
        self._replies = queue.Queue()
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self._read, args=(self._process, self._replies), daemon=True).start()

    @staticmethod
    def _read(process: subprocess.Popen[bytes], replies: queue.Queue[Reply | None]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                try:
                    replies.put(decode(line))
                except MessageError as error:
                    replies.put(LogReply("", f"{error} {line!r}"))
        replies.put(None)

    def _wait_for_result(self, id: str, progress: Progress) -> ResultReply:
        deadline = None
        while True:
            if deadline is None and self._cancel_requested.is_set():
                self._send(CancelRequest(id))
                deadline = time.monotonic() + _CANCEL_SECONDS
            try:
                reply = self._replies.get(timeout=_seconds_until(deadline))
            except queue.Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    # Deep in one long step; the process is cheap to start again.
                    self._stop(0)
                    raise Cancelled("The run was cancelled.") from None
                continue
            result = self._take(reply, id, progress)
            if result is not None:
                return result

    def _take(self, reply: Reply | None, id: str, progress: Progress) -> ResultReply | None:
        if reply is None:
            code = self._stop(_CLOSE_SECONDS)
            if self._cancel_requested.is_set():
                raise Cancelled("The run was cancelled.")
            raise KidneyParsingError(
                _("The engine stopped unexpectedly (exit code {code}); run the CT again.").format(code=code)
            )
        if isinstance(reply, ReadyReply):
            self.pid = reply.pid
        elif isinstance(reply, LogReply):
            self._log(reply.text)
        elif getattr(reply, "id", None) == id:
            return self._take_own(reply, progress)
        return None

    def _take_own(self, reply: Reply, progress: Progress) -> ResultReply | None:
        if isinstance(reply, ErrorReply):
            raise _ERRORS.get(reply.exit_code, KidneyParsingError)(reply.message)
        if isinstance(reply, CancelledReply):
            raise Cancelled("The run was cancelled.")
        if isinstance(reply, ResultReply):
            return reply
        if isinstance(reply, ProgressReply) and not self._cancel_requested.is_set():
            try:
                progress(reply.fraction, reply.phase)
            except Cancelled:
                self.cancel()
        return None

    def _send(self, request: Request) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(encode(request))
            self._process.stdin.flush()
        except OSError:
            # The engine has died; the reader thread reports that.
            pass

    def _stop(self, seconds: float) -> int:
        process, self._process = self._process, None
        assert process is not None and process.stdin is not None
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        try:
            process.stdin.close()
        except OSError:
            pass
        process.kill()
        return process.wait()


def _seconds_until(deadline: float | None) -> float:
    return _POLL_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
