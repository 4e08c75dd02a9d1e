"""What the consoles show of a run: percent, phase and time left."""

from __future__ import annotations

import io
import json
import sys

import pytest

from KidneyParsingLib.commands import console
from KidneyParsingLib.progress import TimeLeft


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def made_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds pass between one look at the clock and the next."""
    moments = iter(range(0, 1000, 2))
    monkeypatch.setattr(console, "TimeLeft", lambda: TimeLeft(lambda: next(moments)))


def show(on: console.Console) -> None:
    with on:
        for fraction in (0.0, 0.25, 0.5):
            on(fraction, "Parsing region 1 of 2")


@pytest.mark.parametrize(
    ("time_left", "shown"),
    [(True, " 50% Parsing region 1 of 2, about 4 s left"), (False, " 50% Parsing region 1 of 2")],
)
def test_terminal_shows_percent_phase_and_time_left(
    monkeypatch: pytest.MonkeyPatch, time_left: bool, shown: str
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    show(console.TextConsole(time_left=time_left))
    lines = sys.stderr.getvalue().split("\r\033[K")
    assert lines == ["", "  0% Parsing region 1 of 2", lines[2], shown, ""]


def test_json_lines_have_the_seconds_left(capsys: pytest.CaptureFixture[str]) -> None:
    show(console.JsonConsole())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"type": "progress", "fraction": 0.0, "phase": "Parsing region 1 of 2", "seconds_left": None}
    assert [line["seconds_left"] for line in lines] == [None, 6.0, 4.0]
