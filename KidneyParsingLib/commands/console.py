"""What a run shows: a line that moves on a terminal, or JSON lines for another program."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..progress import Progress, TimeLeft
from ..training.countdown import duration

if TYPE_CHECKING:
    from types import TracebackType

    from ..volumes.volume import LabelMap

_CLEAR_LINE = "\r\033[K"


class Console(Progress, Protocol):
    """A Progress that, as a context, owns the terminal during the work and afterwards shows the result."""

    def __enter__(self) -> Console:
        """Begin to show progress."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the terminal clean."""

    def log(self, text: str) -> None:
        """Show a line that users may want to know but need not read."""

    def result(self, output: Path, label_map: LabelMap, notes: tuple[str, ...]) -> None:
        """Show the file written, every segment's volume in ml, and the notes."""


class TextConsole:
    """For people: one moving line on stderr if that is a terminal, then a table on stdout and notes on stderr.

    `time_left` is off where the phases' names say it already.
    """

    def __init__(self, time_left: bool = True) -> None:
        self._moving = sys.stderr.isatty()
        self._time_left = TimeLeft() if time_left else None

    def __enter__(self) -> TextConsole:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._show(_CLEAR_LINE)

    def __call__(self, fraction: float, phase: str) -> None:
        """Move the line."""
        left = self._time_left.seconds(fraction) if self._time_left else None
        remark = "" if left is None else f", about {duration(left)} left"
        self._show(f"{_CLEAR_LINE}{fraction:4.0%} {phase}{remark}")

    def log(self, text: str) -> None:
        """Print the line on stderr."""
        self._show(_CLEAR_LINE)
        print(text, file=sys.stderr)

    def result(self, output: Path, label_map: LabelMap, notes: tuple[str, ...]) -> None:
        """Print the table: name and ml of every segment."""
        volumes = label_map.volumes_ml()
        width = max((len(item.name) for item in label_map.segments), default=0)
        for item in label_map.segments:
            print(f"{item.name:<{width}}  {volumes[item.id]:9.2f} ml")
        print(f"written: {output}" if volumes else f"nothing found; written: {output}")
        for note in notes:
            print(f"note: {note}", file=sys.stderr)

    def _show(self, text: str) -> None:
        if self._moving:
            print(text, end="", file=sys.stderr, flush=True)


class JsonConsole:
    """For programs: one JSON object a line on stdout, which nothing else may write to meanwhile."""

    def __init__(self) -> None:
        self._stdout = sys.stdout
        self._stack = ExitStack()
        self._time_left = TimeLeft()

    def __enter__(self) -> JsonConsole:
        self._stack.enter_context(redirect_stdout(sys.stderr))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def __call__(self, fraction: float, phase: str) -> None:
        """Print a line of type `progress`; `seconds_left` is null while there is too little to measure."""
        left = self._time_left.seconds(fraction)
        rounded = None if left is None else round(left, 1)
        self._print(type="progress", fraction=round(fraction, 4), phase=phase, seconds_left=rounded)

    def log(self, text: str) -> None:
        """Print a line of type `log`."""
        self._print(type="log", text=text)

    def result(self, output: Path, label_map: LabelMap, notes: tuple[str, ...]) -> None:
        """Print the line of type `result`."""
        volumes = {id: round(ml, 4) for id, ml in label_map.volumes_ml().items()}
        self._print(type="result", output=str(output), volumes_ml=volumes, notes=list(notes))

    def _print(self, **message: Any) -> None:
        print(json.dumps(message), file=self._stdout, flush=True)
