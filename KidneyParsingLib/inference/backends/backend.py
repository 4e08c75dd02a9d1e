"""The one interface of all backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch

# Called every fraction of a second with the share of the pass that is done; may raise Cancelled.
Tick = Callable[[float], None]


def no_tick(share: float) -> None:
    """A Tick that does nothing."""


class Backend(Protocol):
    """A network that can be run; `name` is one of `options.BACKENDS`, `device` where its input should lie."""

    name: str
    device: torch.device

    def __call__(self, image: torch.Tensor, tick: Tick = no_tick) -> torch.Tensor:
        """Raw maps (1, outputs, D, H, W) float32 of a normalised image (1, 1, D, H, W) whose sizes are multiples of
        the network's stride; for networks that tell boundaries, their probability as one more map at the end."""

    def release(self) -> None:
        """Gives back the memory that is kept for the next pass."""
