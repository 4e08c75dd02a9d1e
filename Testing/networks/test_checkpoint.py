"""Weights files: round trip, damage, wrong file."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks.checkpoint import load_network, save_network
from KidneyParsingLib.networks.configs import NetworkConfig, config
from KidneyParsingLib.networks.registry import build

TINY = replace(config("ba_net"), features=(2, 3, 4, 5, 6))


@pytest.fixture
def a_weights_file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save_network(path, build(TINY), TINY)
    return path


def test_a_network_comes_back_with_its_config_and_float16_weights(a_weights_file: Path) -> None:
    torch.manual_seed(0)
    original = build(TINY)
    network, network_config = load_network(a_weights_file)
    assert network_config == TINY
    assert not network.training
    for a, b in zip(original.parameters(), network.parameters(), strict=True):
        assert torch.equal(a.half().float(), b)


def test_config_survives_json() -> None:
    assert NetworkConfig.from_json(TINY.to_json()) == TINY


def test_the_right_sha256_is_accepted_and_another_refused(a_weights_file: Path) -> None:
    load_network(a_weights_file, hashlib.sha256(a_weights_file.read_bytes()).hexdigest())
    with pytest.raises(InputError, match="SHA256"):
        load_network(a_weights_file, "0" * 64)


@pytest.mark.parametrize("content", [b"", b"not weights", None])
def test_damaged_or_missing_weights_give_one_sentence(a_weights_file: Path, content: bytes | None) -> None:
    if content is None:
        a_weights_file.unlink()
    else:
        a_weights_file.write_bytes(content)
    with pytest.raises(InputError, match="missing or damaged"):
        load_network(a_weights_file)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "evil.safetensors", tmp_path / "was run"
    path.write_bytes(pickle.dumps(_Touch(str(trace))))
    with pytest.raises(InputError):
        load_network(path)
    assert not trace.exists()


class _Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (Path(self.path),)
