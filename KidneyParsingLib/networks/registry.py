"""Networks by name."""

from __future__ import annotations

from torch import nn

from .ba_net import BANet
from .boundary_stream import BoundaryStreamNet
from .configs import NetworkConfig
from .fine_unet import FineUNet
from .kid_net import KidNet
from .plain_unet import PlainUNet
from .res_unet import ResUNet
from .sc_unet import SCUNet
from .tu_net import LNet, TuNet

NETWORKS: dict[str, type[nn.Module]] = {
    "ba_net": BANet,
    "plain_unet": PlainUNet,
    "res_unet": ResUNet,
    "boundary_stream": BoundaryStreamNet,
    "sc_unet": SCUNet,
    "kid_net": KidNet,
    "tu_net": TuNet,
    "l_net": LNet,
    "fine_unet": FineUNet,
}
_OPTIONS = ("squeeze", "deep_supervision")


def build(config: NetworkConfig) -> nn.Module:
    """A freshly initialised network for `config`. Raises KeyError for an unknown network name."""
    options: dict[str, int] = {name: True for name in _OPTIONS if getattr(config, name)}
    if config.fold > 1:
        options["fold"] = config.fold
    return NETWORKS[config.network](num_classes=config.outputs, features=config.features, **options)
