"""How far a training is and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..progress import Progress

_SECONDS_BETWEEN = 1.0


class Countdown:
    """Shows steps done, loss and time left, about once a second and at the last step.

    The time left follows the mean time of a step since this process began with step `done`, validations included.
    """

    def __init__(self, show: Progress, done: int, steps: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._show, self._first, self._steps, self._clock = show, done, steps, clock
        self._started = clock()
        self._shown = float("-inf")

    def __call__(self, done: int, loss: float) -> None:
        """`done` steps are done; the last one had this loss."""
        now = self._clock()
        if now - self._shown < _SECONDS_BETWEEN and done < self._steps:
            return
        self._shown = now
        left = (now - self._started) / (done - self._first) * (self._steps - done)
        self._show(done / self._steps, f"step {done} of {self._steps}, loss {loss:.3f}, {duration(left)} left")

    def validating(self, done: int) -> None:
        """The network is validated after `done` steps, which can take minutes."""
        self._show(done / self._steps, f"step {done} of {self._steps}, validating")


def duration(seconds: float) -> str:
    """Seconds in words: 40 s, 12 min, 3.5 h."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
