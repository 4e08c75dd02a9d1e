"""What a network may learn on from: weights of its own kind, of one that knows fewer classes, or a
BA-Net's for the second look."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ..errors import InputError
from ..networks.checkpoint import load_tensors
from ..networks.configs import NetworkConfig

_DECODER = "segmentation_decoder."
# A decoder level's parts in BA-Net and in a U-Net.
_PARTS = {"up": "ups", "block": "blocks"}


def load_initial(network: nn.Module, network_config: NetworkConfig, path: Path) -> None:
    """Starts a network from released weights: of the same kind, or, for a plain U-Net of the same widths, of a BA-Net
    (`as_plain_unet`) or of one that knows fewer classes (`with_new_classes`). Raises InputError if the file is damaged
    or another network's."""
    tensors, notes = load_tensors(path)
    try:
        known = NetworkConfig.from_json(notes["config"]).classes
        if network_config.network == "plain_unet" and any(name.startswith(_DECODER) for name in tensors):
            tensors = as_plain_unet(tensors, known, network_config.classes)
        elif network_config.network == "plain_unet" and set(known) < set(network_config.classes):
            tensors = with_new_classes(tensors, network.state_dict(), known, network_config.classes)
        network.load_state_dict({name: value.float() for name, value in tensors.items()})
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} holds weights of another network; give one of the same model and size.") from error


def as_plain_unet(
    tensors: dict[str, torch.Tensor], known: tuple[str, ...], classes: tuple[str, ...]
) -> dict[str, torch.Tensor]:
    """BA-Net's encoder and segmentation decoder as a plain U-Net's tensors, whose head tells `classes` of those that
    BA-Net's tells (`known`). Raises ValueError if BA-Net knows one of them not."""
    rows = [known.index(name) for name in classes]
    finest = max(name.split(".")[1] for name in tensors if name.startswith(_DECODER))
    found = {}
    for name, value in tensors.items():
        if name.startswith("encoder."):
            found[name] = value
        elif name.startswith(_DECODER):
            level, part, rest = name.removeprefix(_DECODER).split(".", 2)
            if part in _PARTS:
                found[f"{_PARTS[part]}.{level}.{rest}"] = value
            elif level == finest:
                found[f"head.{rest}"] = value[rows]
    return found


def with_new_classes(
    tensors: dict[str, torch.Tensor], fresh: dict[str, torch.Tensor], known: tuple[str, ...], classes: tuple[str, ...]
) -> dict[str, torch.Tensor]:
    """A U-Net's tensors for `classes`, among them all that it knows: heads (classes first) keep `fresh` rows for the
    new ones. Raises KeyError or RuntimeError if `fresh` is of another kind or size."""
    rows = [classes.index(name) for name in known]
    found = dict(tensors)
    for name, value in tensors.items():
        if name.startswith(("head.", "auxiliary_heads.")):
            found[name] = fresh[name].clone()
            found[name][rows] = value.to(fresh[name].dtype)
    return found
