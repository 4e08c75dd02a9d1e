"""Released networks, loaded and ready to run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..networks.checkpoint import load_network
from ..networks.configs import NetworkConfig
from .network_pass import PLAIN, Mirrors, predict_maps, to_device
from .registry import find_network


@dataclass(frozen=True)
class LoadedNetwork:
    """A network in evaluation mode on its device, with its config."""

    network: nn.Module
    config: NetworkConfig

    def maps(self, hu: np.ndarray, device: torch.device, mirrors: Mirrors = PLAIN) -> np.ndarray:
        """Probability maps (outputs, z, y, x) of HU (z, y, x) on the network's grid."""
        return predict_maps(self.network, self.config, hu, device, mirrors)


def load(name: str, device: torch.device) -> LoadedNetwork:
    """The released network of this name. Raises InputError if its file is missing or not the released one."""
    entry = find_network(name)
    network, config = load_network(entry.path, entry.sha256)
    return LoadedNetwork(to_device(network, device), config)
