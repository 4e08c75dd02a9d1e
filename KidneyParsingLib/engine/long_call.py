"""A long call that cannot be asked to stop, made so that whoever waits for it can."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_SECONDS_BETWEEN_CHECKS = 0.02


class LongCall(Generic[T]):
    """A call on a thread of its own, begun at once. It goes on to its end even if nobody waits for it any more."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._done = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._make, daemon=True).start()

    def wait(self, check: Callable[[], None]) -> None:
        """Wait for the end, whatever it is; `check` is called meanwhile and ends the wait by raising an error."""
        check()
        while not self._done.wait(_SECONDS_BETWEEN_CHECKS):
            check()

    def result(self, check: Callable[[], None]) -> T:
        """What the call returns; raises what it raises, or what `check` raises, which is called meanwhile."""
        self.wait(check)
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    def raise_if_failed(self) -> None:
        """Raises what the call raised, if it has ended so already."""
        if self._done.is_set() and self._error is not None:
            raise self._error

    def _make(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error
        self._done.set()
