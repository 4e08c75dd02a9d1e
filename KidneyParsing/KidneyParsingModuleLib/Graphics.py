"""Asks the graphics card's driver in the background, so that Slicer never waits for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import qt

from .HardwareNotes import QUERY, GraphicsCard, cardOf

CLOSE_MSEC = 1000


class GraphicsQuery:
    """`onAnswer` hears of the card, or None where there is none or its driver does not answer.

    The driver's own program answers in a moment, while torch, which knows more, would cost Slicer half a gigabyte.
    """

    def __init__(self, onAnswer: Callable[[GraphicsCard | None], None], command: Sequence[str] = QUERY) -> None:
        self._onAnswer = onAnswer
        self._command = command
        self._process = qt.QProcess()
        self._process.finished.connect(self._onFinished)
        self._process.errorOccurred.connect(self._onError)

    def start(self) -> None:
        """Ask, unless an answer is awaited."""
        if self._process and self._process.state() == qt.QProcess.NotRunning:
            self._process.start(self._command[0], list(self._command[1:]))

    def close(self) -> None:
        """Expect no answer any more."""
        process, self._process = self._process, None
        if process and process.state() != qt.QProcess.NotRunning:
            process.kill()
            process.waitForFinished(CLOSE_MSEC)

    def _onFinished(self) -> None:
        if self._process:
            self._onAnswer(cardOf(self._process.readAllStandardOutput().data().decode("utf-8", "replace")))

    def _onError(self, error: object) -> None:
        if self._process and error == qt.QProcess.FailedToStart:
            self._onAnswer(None)
