"""How long work says how far it is, and learns that the user has cancelled it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called often during a run. Raises `errors.Cancelled` when the user wants the run to stop."""

    def __call__(self, fraction: float, phase: str) -> None:
        """`fraction` of the whole run done (0..1, never falling) and the name of the phase that now runs."""


def silent(fraction: float, phase: str) -> None:
    """A Progress that shows nothing and never cancels."""
