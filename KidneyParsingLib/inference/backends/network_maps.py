"""What is run of a network, by torch or after export: from image to maps."""

from __future__ import annotations

import torch
from torch import nn

from ...networks.configs import NESTED, NetworkConfig


class NetworkMaps(nn.Module):
    """Maps (1, outputs, D, H, W) float32 of an image (1, 1, D, H, W): probabilities, or `raw` what the network puts
    out. With `boundary` the boundary's probability is one more map at the end."""

    def __init__(self, network: nn.Module, config: NetworkConfig, boundary: bool = False, raw: bool = False) -> None:
        super().__init__()
        self.network = network
        self._predict = network.predict_with_boundary if boundary else network.predict
        self._outputs = config.outputs
        self._activate = nn.Identity() if raw else nn.Sigmoid() if config.activation == NESTED else nn.Softmax(1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """See the class."""
        found = self._predict(image).float()
        maps = self._activate(found[:, : self._outputs])
        # What comes after the network's outputs is a probability already.
        return maps if found.shape[1] == self._outputs else torch.cat([maps, found[:, self._outputs :]], 1)
