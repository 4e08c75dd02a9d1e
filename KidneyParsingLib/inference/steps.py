"""Progress of a run whose fraction is proportional to the time that its steps are expected to take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..progress import Progress


@dataclass(frozen=True)
class Step:
    """One step of a run: the phase that a user reads, and the seconds that it is expected to take."""

    phase: str
    seconds: float


class Steps:
    """Reports steps to a `progress` between the fractions `start` and `end`."""

    def __init__(self, progress: Progress, start: float, end: float, steps: list[Step]) -> None:
        self._progress = progress
        self._steps = iter(steps)
        self._scale = (end - start) / max(sum(step.seconds for step in steps), 1e-9)
        self._end = start

    def next(self) -> Callable[[float], None]:
        """Begins the next step; the answer is called with the share of it that is done. Raises Cancelled if the user
        wants to stop."""
        step = next(self._steps)
        begun = self._end
        self._end = begun + step.seconds * self._scale

        def tick(share: float) -> None:
            self._progress(begun + share * step.seconds * self._scale, step.phase)

        tick(0.0)
        return tick
