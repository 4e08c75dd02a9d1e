"""The one interface of all backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

# Called every fraction of a second with the share of the pass that is done; may raise Cancelled.
Tick = Callable[[float], None]


def no_tick(share: float) -> None:
    """A Tick that does nothing."""


class Backend(Protocol):
    """A network that can be run; `name` is one of `options.BACKENDS`, `device` where it computes, as torch
    names it."""

    name: str
    device: str

    def __call__(self, image: np.ndarray, tick: Tick = no_tick) -> np.ndarray:
        """Probability maps (outputs, D, H, W) float32 of a normalised image (D, H, W) float32 whose sizes are
        multiples of the network's stride; for networks that tell boundaries, their probability as one more map."""

    def release(self) -> None:
        """Gives back the memory that is kept for the next pass."""
