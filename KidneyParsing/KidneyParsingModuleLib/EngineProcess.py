"""Runs the engine as a child process without ever blocking Slicer, one request at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from KidneyParsingLib.engine.messages import (
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
    decode,
    encode,
)

from .EngineCommand import EngineCommand, engineCommand
from .EngineListener import EngineListener, EngineState
from .Translation import translated, translatedError

CANCEL_MSEC = 500
CLOSE_MSEC = 2000
_LAST_LINES = 10


class EngineProcess:
    """The child process as one object. It is started by the first run and stays alive for the next ones."""

    def __init__(self, listener: EngineListener, command: Callable[[], EngineCommand] = engineCommand) -> None:
        self.state = EngineState.IDLE
        self._listener: EngineListener | None = listener
        self._command = command
        self._request: SegmentRequest | None = None
        self._isReady = False
        self._unfinishedLine = b""
        self._lastLines: deque[str] = deque(maxlen=_LAST_LINES)
        self._process = self._createProcess()
        self._killTimer = qt.QTimer()
        self._killTimer.setSingleShot(True)
        self._killTimer.timeout.connect(self._kill)

    def start(self, request: SegmentRequest) -> None:
        """Begin a run. Raises RuntimeError if one is going on or the engine cannot be found."""
        if self.state is not EngineState.IDLE:
            raise RuntimeError(_("A segmentation is running already."))
        command = None if self._isAlive() else self._command()
        self._request = request
        self._setState(EngineState.STARTING)
        if command:
            self._launch(command)
        elif self._isReady:
            self._sendRequest()

    def cancel(self) -> None:
        """End the run soon: politely, and after half a second by killing the child process."""
        if self.state is EngineState.RUNNING:
            self._setState(EngineState.CANCELLING)
            self._write(CancelRequest(self._request.id))
            self._killTimer.start(CANCEL_MSEC)
        elif self.state is EngineState.STARTING:
            self._setState(EngineState.CANCELLING)
            self._kill()

    def close(self) -> None:
        """End the child process; the listener hears nothing any more. The object cannot be used afterwards."""
        self._listener = None
        if self._process is None:
            return
        if self._isAlive():
            self._kill()
            self._process.waitForFinished(CLOSE_MSEC)
        self._process = None

    def _createProcess(self) -> qt.QProcess:
        process = qt.QProcess()
        process.readyReadStandardOutput.connect(self._onOutput)
        process.readyReadStandardError.connect(self._onErrorOutput)
        process.finished.connect(self._onFinished)
        process.errorOccurred.connect(self._onProcessError)
        return process

    def _isAlive(self) -> bool:
        return self._process.state() != qt.QProcess.NotRunning

    def _launch(self, command: EngineCommand) -> None:
        self._isReady = False
        self._unfinishedLine = b""
        self._lastLines.clear()
        self._process.setProcessEnvironment(command.environment)
        self._process.start(command.program, command.arguments)

    def _sendRequest(self) -> None:
        self._setState(EngineState.RUNNING)
        self._write(self._request)

    def _write(self, request: Request) -> None:
        self._process.write(encode(request))

    def _kill(self) -> None:
        # PythonSlicer is a launcher, and killing it leaves Python alive; Python ends itself when its stdin closes.
        self._process.closeWriteChannel()
        self._process.kill()

    def _setState(self, state: EngineState) -> None:
        self.state = state
        if self._listener:
            self._listener.onStateChanged(state)

    def _onOutput(self) -> None:
        received = self._unfinishedLine + self._process.readAllStandardOutput().data()
        *lines, self._unfinishedLine = received.split(b"\n")
        for line in lines:
            try:
                self._take(decode(line))
            except MessageError as error:
                self._log(f"{translatedError(error)} {line!r}")

    def _onErrorOutput(self) -> None:
        text = self._process.readAllStandardError().data().decode("utf-8", "replace").rstrip()
        self._lastLines.extend(text.splitlines())
        self._log(text)

    def _log(self, text: str) -> None:
        if text and self._listener:
            self._listener.onLog(text)

    def _take(self, reply: Reply | Request) -> None:
        if isinstance(reply, ReadyReply):
            self._isReady = True
            if self.state is EngineState.STARTING:
                self._sendRequest()
        elif isinstance(reply, LogReply):
            self._log(translated(reply.text))
        elif self._request and getattr(reply, "id", None) in (self._request.id, ""):
            self._takeOfRun(reply)

    def _takeOfRun(self, reply: Reply) -> None:
        if isinstance(reply, ProgressReply):
            if self._listener and self.state is EngineState.RUNNING:
                self._listener.onProgress(reply.fraction, translated(reply.phase), reply.seconds_left)
        elif isinstance(reply, CancelledReply) or self.state is EngineState.CANCELLING:
            self._endRun(lambda listener: listener.onCancelled())
        elif isinstance(reply, ResultReply):
            self._endRun(lambda listener: listener.onResult(reply))
        elif isinstance(reply, ErrorReply):
            self._endRun(lambda listener: listener.onError(translated(reply.message)))

    def _endRun(self, tell: Callable[[EngineListener], None]) -> None:
        self._killTimer.stop()
        self._request = None
        self._setState(EngineState.IDLE)
        if self._listener:
            tell(self._listener)

    def _onFinished(self) -> None:
        self._onOutput()
        self._onErrorOutput()
        self._isReady = False
        if self.state is EngineState.CANCELLING:
            self._endRun(lambda listener: listener.onCancelled())
        elif self._request:
            message = _("The engine stopped unexpectedly (exit code {code}); the log may say why.")
            self._failRun("\n".join([message.format(code=self._process.exitCode()), *self._lastLines]))

    def _onProcessError(self, error: object) -> None:
        if error == qt.QProcess.FailedToStart and self._request:
            message = _("The engine could not be started: {reason}.")
            self._failRun(message.format(reason=self._process.errorString()))

    def _failRun(self, message: str) -> None:
        self._endRun(lambda listener: listener.onError(message))
