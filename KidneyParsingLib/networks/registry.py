"""Networks by name."""

from __future__ import annotations

from torch import nn

from .ba_net import BANet
from .configs import NetworkConfig
from .plain_unet import PlainUNet

NETWORKS: dict[str, type[nn.Module]] = {"ba_net": BANet, "plain_unet": PlainUNet}


def build(config: NetworkConfig) -> nn.Module:
    """A freshly initialised network for `config`. Raises KeyError for an unknown network name."""
    return NETWORKS[config.network](num_classes=len(config.classes), features=config.features)
