"""How much arithmetic one window is."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..networks.configs import NetworkConfig
from ..networks.registry import build


def window_flops(config: NetworkConfig) -> int:
    """Floating point operations of one prediction of a window of `config.patch`: two for every multiply-add of its
    convolutions; norms and activations are not counted."""
    network = build(config).to("meta")
    with FlopCounterMode(display=False) as counter, torch.inference_mode(False):
        network.predict(torch.empty(1, 1, *config.patch, device="meta"))
    return int(counter.get_total_flops())
