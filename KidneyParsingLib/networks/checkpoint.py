"""Weights and training states in safetensors files (never a pickle), written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from .configs import NetworkConfig
from .registry import build
from .released import damaged, require_released


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], notes: dict[str, str]) -> None:
    """Writes tensors and string notes to `path` atomically."""
    unfinished = path.with_name(path.name + ".part")
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, unfinished, metadata=notes)
    # safetensors makes files that only their owner can read, which an installed extension's users are not.
    unfinished.chmod(0o644)
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())  # else a power cut could leave the new name with nothing in it
    os.replace(unfinished, path)


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and notes of a safetensors file. Raises InputError if it is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise damaged(path) from error


def save_network(path: Path, network: nn.Module, config: NetworkConfig, notes: dict[str, str] | None = None) -> None:
    """Writes a network with its config; weights become float16, which halves the file."""
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    save_tensors(path, tensors, {"config": config.to_json(), **(notes or {})})


def load_network(path: Path, sha256: str | None = None) -> tuple[nn.Module, NetworkConfig]:
    """The network in evaluation mode, float32, and its config.

    Raises InputError if the file is missing or damaged or, with `sha256` given, is not the released one.
    """
    if sha256 is not None:
        require_released(path, sha256)
    tensors, notes = load_tensors(path)
    config = NetworkConfig.from_json(notes["config"])
    network = build(config)
    network.load_state_dict({k: v.float() for k, v in tensors.items()})
    return network.eval(), config
