"""What peers share: timed phases, the network and the threads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from ...networks.checkpoint import load_network
from ...networks.configs import NetworkConfig
from ..measuring import cores


class Phases:
    """Seconds by phase: `with phases("read"): ...`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Times the block as part of phase `name`."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


class Predicting(nn.Module):
    """A network whose `forward` is its `predict`: (B, 1, z, y, x) to logits (B, classes, z, y, x)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the finest scale."""
        return self.network.predict(x)


def loaded(weights: Path) -> tuple[Predicting, NetworkConfig]:
    """The network for a peer, as it would be there, and its config; torch is set to use all cores."""
    torch.set_num_threads(cores())
    network, config = load_network(weights)
    return Predicting(network).eval(), config
