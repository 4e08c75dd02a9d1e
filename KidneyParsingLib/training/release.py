"""From a training's checkpoint to released weights: float16 safetensors and the manifest's entry with its SHA256."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch
from torch import nn

from ..errors import InputError
from ..networks.checkpoint import load_network, load_tensors, save_network
from ..networks.configs import NetworkConfig
from ..networks.registry import build
from .run_state import part

# The kidney shapes behind all made CT come from KiTS23's masks.
LICENCE = "CC BY-NC-SA 4.0"


def release(network_name: str, run: Path, weights: Path, config_name: str = "small") -> Path:
    """Writes `<network>-<config>.safetensors` from the run in `run` and updates `manifest.json` in `weights`.

    The network is that of the best validation, or where nothing was validated the last one. The configuration is the
    one stored with it, with the classes of its data set.
    """
    best = Path(run) / "best.safetensors"
    network, network_config, notes = trained_network(best if best.exists() else Path(run) / "checkpoint.safetensors")
    return _release(network_name, config_name, Path(weights), network, network_config, {"steps": notes["step"]})


def release_mean(network_name: str, first: Path, second: Path, weights: Path, config_name: str = "small") -> Path:
    """Writes and registers the network whose weights are the means of two released ones, of which one was trained on
    from the other (Wortsman et al. 2022, arXiv 2203.05482).

    Raises InputError if they are not of one configuration.
    """
    networks, configs = zip(*map(load_network, (first, second)), strict=True)
    if configs[0] != configs[1]:
        raise InputError(f"{first} and {second} are of different configurations; average networks of one kind.")
    with torch.no_grad():
        for mean, other in zip(*(network.parameters() for network in networks), strict=True):
            mean.copy_((mean + other) / 2)
    return _release(network_name, config_name, Path(weights), networks[0], configs[0], {"steps": "mean of two"})


def _release(
    network_name: str, config_name: str, weights: Path, network: nn.Module, network_config: NetworkConfig,
    notes: dict[str, str],
) -> Path:  # fmt: skip
    path = weights / f"{network_name}-{config_name}.safetensors"
    save_network(path, network, network_config, {"licence": LICENCE} | notes)
    entry = {
        "structures": [c for c in network_config.classes if c != "background"],
        "weights": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": LICENCE,
    }
    update_manifest(weights / "manifest.json", "networks", network_name, entry)
    return path


def trained_network(path: Path) -> tuple[nn.Module, NetworkConfig, dict[str, str]]:
    """The network in a trainer's file, its configuration and the file's notes."""
    tensors, notes = load_tensors(path)
    network_config = NetworkConfig.from_json(notes["config"])
    network = build(network_config)
    network.load_state_dict(part(tensors, "network"))
    return network, network_config, notes


def update_manifest(path: Path, section: str, name: str, entry: dict) -> None:
    """Sets the entry of a network (section `networks`) or of a system's scores (`scores`) in the manifest,
    atomically."""
    manifest = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"networks": {}, "scores": {}}
    manifest[section] = dict(sorted((manifest[section] | {name: entry}).items()))
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
