"""SC-UNet's structural rules (BiSC-UNet, section 2.1)."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from KidneyParsingLib.networks.configs import CONFIGS, config
from KidneyParsingLib.networks.registry import build
from KidneyParsingLib.networks.sc_unet import SCUNet, SCUNetOutput

WIDTHS = (32, 64, 128, 256)
BRANCHES = SCUNetOutput._fields


def conv(inputs: int, outputs: int, kernel: int = 27) -> int:
    return inputs * outputs * kernel + outputs


def double(inputs: int, outputs: int) -> int:
    return conv(inputs, outputs) + conv(outputs, outputs) + 2 * 2 * outputs


def group_up(below: int, width: int) -> int:
    return conv(below, width, 8) + double(2 * width, width)


def paper_parameters() -> int:
    down = sum(double(a, b) for a, b in pairwise((1, *WIDTHS)))
    shared = group_up(256, 128) + group_up(128, 64)
    return down + shared + sum(group_up(64, 32) + conv(32, classes, 1) for classes in (3, 2, 2))


@pytest.fixture
def a_narrow_net() -> SCUNet:
    torch.manual_seed(0)
    return SCUNet(3, (4, 6, 8, 10)).eval()


def inputs_of(modules: dict[str, nn.Module], network: SCUNet, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """First input of every named module in one forward pass."""
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        module.register_forward_pre_hook(lambda _, args, name=name: seen.update({name: args[0]}))
        for name, module in modules.items()
    ]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("model", ["sc_unet", "sc_unet_rough"])
def test_paper_width_has_the_parameters_that_the_layers_add_up_to(model: str) -> None:
    assert sum(p.numel() for p in build(config(model, "paper")).parameters()) == paper_parameters()


@pytest.mark.parametrize("key", [k for k, c in CONFIGS.items() if c.network == "sc_unet"])
def test_labels_and_two_edges_at_full_resolution(key: tuple[str, str]) -> None:
    patch = CONFIGS[key].patch
    with torch.device("meta"):
        network, x = build(CONFIGS[key]), torch.empty(1, 1, *patch)
        output, prediction = network(x), network.predict(x)
    assert [tuple(m.shape) for m in output] == [(1, classes, *patch) for classes in (3, 2, 2)]
    assert prediction.shape == (1, 3, *patch)


def test_three_groups_down_with_max_pooling(a_narrow_net: SCUNet) -> None:
    """Each level's block sees the 2x2x2 maxima of the level above it."""
    x = torch.randn(1, 1, 16, 24, 32)
    levels = {str(i): level for i, level in enumerate(a_narrow_net.body.encoder.levels)}
    seen = inputs_of(levels, a_narrow_net, x)
    assert [tuple(m.shape[1:]) for m in seen.values()] == [(4, 8, 12, 16), (6, 4, 6, 8), (8, 2, 3, 4)]
    with torch.no_grad():
        first = a_narrow_net.first(x)
    assert torch.equal(seen["0"], first.reshape(1, 4, 8, 2, 12, 2, 16, 2).amax((3, 5, 7)))


def test_the_three_branches_start_from_the_same_map_and_have_the_skip(a_narrow_net: SCUNet) -> None:
    x = torch.randn(1, 1, 16, 16, 16)
    ups = {name: getattr(a_narrow_net, name).up for name in BRANCHES}
    blocks = {f"{name}.block": getattr(a_narrow_net, name).block for name in BRANCHES}
    seen = inputs_of(ups | blocks, a_narrow_net, x)
    with torch.no_grad():
        skip = a_narrow_net.first(x)
    assert seen["labels"] is seen["kidney_edge"] is seen["tumor_edge"]
    assert seen["labels"].shape == (1, 6, 8, 8, 8)
    for name in BRANCHES:
        assert torch.equal(seen[f"{name}.block"][:, 4:], skip)


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_branch_s_weights_touch_its_own_output_alone(a_narrow_net: SCUNet, branch: str) -> None:
    x = torch.randn(1, 1, 16, 16, 16)
    with torch.no_grad():
        before = a_narrow_net(x)
        for parameter in getattr(a_narrow_net, branch).parameters():
            parameter.add_(0.1)
        after = a_narrow_net(x)
    for name in BRANCHES:
        assert torch.equal(getattr(before, name), getattr(after, name)) == (name != branch)


@pytest.mark.parametrize("part", ["first", "body"])
def test_what_is_shared_touches_all_outputs(a_narrow_net: SCUNet, part: str) -> None:
    x = torch.randn(1, 1, 16, 16, 16)
    with torch.no_grad():
        before = a_narrow_net(x)
        for parameter in getattr(a_narrow_net, part).parameters():
            parameter.mul_(1.5)
        after = a_narrow_net(x)
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_prediction_is_the_labels_and_runs_no_edge_branch(a_narrow_net: SCUNet) -> None:
    x = torch.randn(1, 1, 16, 16, 16)
    with torch.no_grad():
        expected = a_narrow_net(x).labels
        a_narrow_net.kidney_edge = a_narrow_net.tumor_edge = nn.Module()
        assert torch.equal(a_narrow_net.predict(x), expected)


def test_gradients_of_the_three_losses_reach_every_parameter() -> None:
    torch.manual_seed(0)
    network = SCUNet(3, (4, 6, 8))
    sum(m.square().mean() for m in network(torch.randn(1, 1, 16, 16, 16))).backward()
    assert all(p.grad is not None for p in network.parameters())
    assert all(p.grad.abs().max() > 0 for p in network.parameters() if p.ndim > 1)
