"""What a network may learn on from: weights of its own kind, of one that knows fewer classes or sees larger voxels,
or a BA-Net's for the second look."""

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
_STEM = "encoder.levels.0.0.0.weight"
# What makes logits; weights of transposed convolutions have the classes second.
_HEADS, _TRANSPOSED = ("head.", "auxiliary_heads.", "added."), "added.weight"
# What a fine U-Net has beside a plain one.
_ADDED = ("details.", "mixed.", "added.")
_U_NETS = ("plain_unet", "fine_unet")


def load_initial(network: nn.Module, network_config: NetworkConfig, path: Path) -> None:
    """Starts a network from released weights: of the same kind, or, for a plain or fine U-Net of the same widths, of a
    BA-Net (`as_plain_unet`), of one that knows fewer classes (`with_new_classes`) or, for a fine one, of a plain one
    (`as_fine_unet`). Raises InputError if the file is damaged or another network's."""
    tensors, notes = load_tensors(path)
    try:
        known = NetworkConfig.from_json(notes["config"])
        if network_config.network in _U_NETS:
            tensors = _as_u_net(tensors, network.state_dict(), known, network_config)
        network.load_state_dict({name: value.float() for name, value in tensors.items()})
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} holds weights of another network; give one of the same model and size.") from error


def _as_u_net(
    tensors: dict[str, torch.Tensor], fresh: dict[str, torch.Tensor], known: NetworkConfig, wanted: NetworkConfig
) -> dict[str, torch.Tensor]:
    """The tensors of a network of config `known` as those of a U-Net of config `wanted`, whose own are `fresh`."""
    if any(name.startswith(_DECODER) for name in tensors):
        tensors = as_plain_unet(tensors, known.classes, wanted.classes)
    elif set(known.classes) < set(wanted.classes):
        tensors = with_new_classes(tensors, fresh, known.classes, wanted.classes)
    if wanted.network == "fine_unet" and known.network != wanted.network:
        tensors = as_fine_unet(tensors, fresh, wanted.fold)
    return tensors


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
    """A U-Net's tensors for `classes`, among them all that it knows: what makes logits keeps `fresh` rows for the new
    ones. Raises KeyError or RuntimeError if `fresh` is of another kind or size."""
    rows = [classes.index(name) for name in known]
    found = dict(tensors)
    for name, value in tensors.items():
        if name.startswith(_HEADS):
            found[name] = fresh[name].clone()
            axis = 1 if name == _TRANSPOSED else 0
            found[name].movedim(axis, 0)[rows] = value.to(fresh[name].dtype).movedim(axis, 0)
    return found


def as_fine_unet(
    tensors: dict[str, torch.Tensor], fresh: dict[str, torch.Tensor], fold: int
) -> dict[str, torch.Tensor]:
    """A plain U-Net's tensors as those of a fine one, which then tells of the blocks' means what that does; what it
    adds to that keeps `fresh` tensors."""
    spread = tensors[_STEM].float() / fold**3
    for axis in (2, 3, 4):
        spread = spread.repeat_interleave(fold, axis)
    added = {name: value for name, value in fresh.items() if name.startswith(_ADDED)}
    return added | tensors | {_STEM: spread}
