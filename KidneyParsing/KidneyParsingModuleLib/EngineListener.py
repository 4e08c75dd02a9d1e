"""What the engine does, and whom it tells."""

from __future__ import annotations

import enum
from typing import Protocol

from KidneyParsingLib.engine.messages import ResultReply


class EngineState(enum.Enum):
    """What the engine is doing. The child process may be alive in every state, also while IDLE."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"


class EngineListener(Protocol):
    """Told what happens, on the main thread, in the user's language but for the texts in a ResultReply.

    Each run ends with exactly one of onResult, onError, onCancelled.
    """

    def onStateChanged(self, state: EngineState) -> None:
        """The engine is in another state now."""

    def onProgress(self, fraction: float, phase: str, secondsLeft: float | None) -> None:
        """The run has come this far (0..1) and will take `secondsLeft` more, None while that is not known."""

    def onLog(self, text: str) -> None:
        """Text for the log window."""

    def onResult(self, reply: ResultReply) -> None:
        """The run succeeded."""

    def onError(self, message: str) -> None:
        """The run failed; `message` is for the user."""

    def onCancelled(self) -> None:
        """The run was cancelled."""
