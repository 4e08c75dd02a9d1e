"""What a training may start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks import ba_net
from KidneyParsingLib.networks.checkpoint import save_network
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.networks.registry import build
from KidneyParsingLib.training.transfer import load_initial

BLOCKS = 2  # voxels of the second look an axis that BA-Net sees as one


def test_a_run_starts_from_given_weights_and_refuses_another_network_s(tmp_path: Path) -> None:
    small, other = (build(config(name, "tiny")) for name in ("plain_unet", "kid_net"))
    save_network(tmp_path / "w.safetensors", small, config("plain_unet", "tiny"))
    fresh = build(config("plain_unet", "tiny"))
    load_initial(fresh, config("plain_unet", "tiny"), tmp_path / "w.safetensors")
    expected = {name: value.half().float() for name, value in small.state_dict().items()}
    assert all(torch.equal(value, expected[name]) for name, value in fresh.state_dict().items())
    with pytest.raises(InputError, match="another network"):
        load_initial(other, config("kid_net", "tiny"), tmp_path / "w.safetensors")


def test_the_second_look_starts_as_a_ba_net_that_sees_no_boundaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    first, second = config("ba_net", "small"), config("second_look", "small")
    parent, child = build(first), build(second)
    save_network(tmp_path / "ba_net.safetensors", parent, first)
    parent.half().float()  # as it is in the file
    load_initial(child, second, tmp_path / "ba_net.safetensors")
    monkeypatch.setattr(ba_net, "enhance", lambda features, boundary: features)
    x = torch.randn(1, 1, 64, 64, 64)
    with torch.no_grad():
        expected = interpolated(parent.eval().predict(F.avg_pool3d(x, BLOCKS)))
        torch.testing.assert_close(child.eval().predict(x), expected, atol=1e-4, rtol=1e-4)


def interpolated(logits: torch.Tensor) -> torch.Tensor:
    return F.interpolate(logits, scale_factor=BLOCKS, mode="trilinear", align_corners=False)


def test_a_fine_u_net_starts_as_a_plain_one_that_knows_fewer_classes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    second = config("second_look", "small")
    coarse = replace(second, network="plain_unet", classes=("background", "tumor", "kidney"), fold=1)
    parent, child = build(coarse), build(second)
    save_network(tmp_path / "w.safetensors", parent, coarse)
    parent.half().float()  # as it is in the file
    load_initial(child, second, tmp_path / "w.safetensors")
    x = torch.randn(1, 1, 64, 64, 64)
    rows = [second.classes.index(name) for name in coarse.classes]
    with torch.no_grad():
        expected = interpolated(parent.eval().predict(F.avg_pool3d(x, BLOCKS)))
        torch.testing.assert_close(child.eval().predict(x)[:, rows], expected, atol=1e-4, rtol=1e-4)


def test_new_classes_are_learned_beside_those_that_the_weights_know(tmp_path: Path) -> None:
    torch.manual_seed(0)
    second = config("second_look", "small")
    fewer = replace(second, classes=("background", "tumor", "kidney"))
    parent, child = build(fewer), build(second)
    torch.nn.init.normal_(parent.added.weight)
    save_network(tmp_path / "w.safetensors", parent, fewer)
    parent.half().float()  # as it is in the file
    new = child.head.bias[4].item()
    load_initial(child, second, tmp_path / "w.safetensors")
    x = torch.randn(1, 1, 64, 64, 64)
    rows = [second.classes.index(name) for name in fewer.classes]
    with torch.no_grad():
        torch.testing.assert_close(child.eval().predict(x)[:, rows], parent.eval().predict(x))
    assert child.head.bias[4].item() == new


def test_a_ba_net_of_other_widths_is_refused(tmp_path: Path) -> None:
    save_network(tmp_path / "w.safetensors", build(config("ba_net", "tiny")), config("ba_net", "tiny"))
    second = config("second_look", "small")
    with pytest.raises(InputError, match="another network"):
        load_initial(build(second), second, tmp_path / "w.safetensors")
