"""How long work says how far it is, and learns that the user has cancelled it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Protocol

Clock = Callable[[], float]
# Says a sentence about the work, for a log window, such as "The GPU's memory is full; going on with the CPU."
Log = Callable[[str], None]

# The pace of the last part of the run counts most: its parts halve in weight after this share of the run.
_HALF_LIFE = 0.2
# Before that much is done and has taken that long, the pace is a guess.
_MIN_SHARE = 0.02
_MIN_SECONDS = 1.0
# A rise of the time left by less than this factor is taken for noise.
_NOISE = 1.15
_REGION = re.compile(r" region \d+ of \d+$")


class Progress(Protocol):
    """Called often during a run. Raises `errors.Cancelled` when the user wants the run to stop."""

    def __call__(self, fraction: float, phase: str) -> None:
        """`fraction` of the whole run done (0..1, never falling) and the name of the phase that now runs."""


def silent(fraction: float, phase: str) -> None:
    """A Progress that shows nothing and never cancels."""


class TimeLeft:
    """The seconds that a run will still take, from the pace at which its fraction has risen, lately above all.

    Needs fractions that are proportional to time. What passes before the first rise is not counted: it is no measure
    of the rest, above all the load of a network.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._begin: tuple[float, float] | None = None
        self._last = (0.0, 0.0)
        self._share = self._seconds = 0.0
        self._left: float | None = None

    def seconds(self, fraction: float) -> float | None:
        """Seconds left now that `fraction` (0..1) is done; None until there is enough to measure, never negative."""
        now = self._clock()
        if self._begin is None or fraction <= self._begin[0]:
            self._begin = self._last = (fraction, now)
        elif fraction > self._last[0]:
            self._measure(fraction - self._last[0], now - self._last[1])
            self._last = (fraction, now)
            if fraction - self._begin[0] >= _MIN_SHARE and now - self._begin[1] >= _MIN_SECONDS:
                self._left = self._estimate(fraction)
        return self._left

    def _measure(self, share: float, seconds: float) -> None:
        fading = 0.5 ** (share / _HALF_LIFE)
        self._share = self._share * fading + share
        self._seconds = self._seconds * fading + seconds

    def _estimate(self, fraction: float) -> float:
        left = max(0.0, self._seconds / self._share * (1 - fraction))
        return self._left if self._left is not None and self._left < left < _NOISE * self._left else left


class PhaseTimes:
    """The seconds that a run has spent in each phase; all phases "Parsing region ... of ..." are one, "Parsing"."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._spent: dict[str, float] = {}
        self._phase = ""
        self._time = clock()

    def enter(self, phase: str) -> None:
        """The run is in `phase` now."""
        self._add()
        self._phase = _REGION.sub("", phase)
        self._spent.setdefault(self._phase, 0.0)

    def seconds(self) -> dict[str, float]:
        """Seconds by phase, in the order in which the phases began, the last one until now."""
        self._add()
        return dict(self._spent)

    def _add(self) -> None:
        now = self._clock()
        if self._phase in self._spent:
            self._spent[self._phase] += now - self._time
        self._time = now
