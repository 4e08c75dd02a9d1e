"""What is released beside a run's own network: means of two."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks.checkpoint import load_network, save_network
from KidneyParsingLib.networks.configs import NetworkConfig, config
from KidneyParsingLib.networks.registry import build
from KidneyParsingLib.training.release import release_mean


def a_network(path: Path, seed: int, network_config: NetworkConfig) -> Path:
    torch.manual_seed(seed)
    save_network(path, build(network_config), network_config)
    return path


def test_the_mean_of_two_networks_is_released_with_its_digest(tmp_path: Path) -> None:
    tiny = config("kid_net", "tiny")
    first, second = (a_network(tmp_path / f"{seed}.safetensors", seed, tiny) for seed in (1, 2))
    path = release_mean("kid_net", first, second, tmp_path, "tiny")
    mean, own, other = (dict(load_network(p)[0].named_parameters()) for p in (path, first, second))
    for name, value in mean.items():
        assert torch.allclose(value, (own[name] + other[name]) / 2, atol=1e-3)
    assert any(not torch.allclose(own[name], other[name], atol=1e-2) for name in own)
    entry = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["networks"]["kid_net"]
    assert entry["weights"] == path.name and entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_networks_of_two_kinds_have_no_mean(tmp_path: Path) -> None:
    first = a_network(tmp_path / "a.safetensors", 1, config("kid_net", "tiny"))
    second = a_network(tmp_path / "b.safetensors", 1, config("plain_unet", "tiny"))
    with pytest.raises(InputError, match="configurations"):
        release_mean("kid_net", first, second, tmp_path)
    assert not (tmp_path / "manifest.json").exists()
