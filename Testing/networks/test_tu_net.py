"""TuNet's structural rules: L-Net, W-Net and T-Net (KiTS19, sections 2.1 to 2.3)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from KidneyParsingLib.networks.blocks import SqueezeExcitation, UNet
from KidneyParsingLib.networks.configs import CONFIGS, config
from KidneyParsingLib.networks.registry import build
from KidneyParsingLib.networks.tu_net import LNet, TuNet

WIDTHS = (32, 64, 128, 256)


def conv(inputs: int, outputs: int, kernel: int = 27) -> int:
    return inputs * outputs * kernel + outputs


def double(inputs: int, outputs: int) -> int:
    return conv(inputs, outputs) + conv(outputs, outputs) + 2 * 2 * outputs


def decoder() -> int:
    return sum(conv(a, b, 8) + double(2 * b, b) for a, b in pairwise(WIDTHS[::-1]))


def l_net_parameters() -> int:
    return sum(double(a, b) for a, b in pairwise((1, *WIDTHS))) + decoder() + conv(32, 2, 1)


def tu_net_parameters() -> int:
    """Every encoder block but the first has one input channel more: the image."""
    below_first = sum(double(a + 1, b) for a, b in pairwise(WIDTHS))
    w_net, t_net = (double(inputs, 32) + below_first + decoder() + conv(32, 1, 1) for inputs in (1, 2))
    return w_net + t_net


def squeeze_parameters() -> int:
    """Two linear layers with biases after every block: four in each encoder, three in each decoder, two networks.
    Bottlenecks: 1/16 of 32, 64, 128, 256 channels, but at least 4: 4, 4, 8, 16."""
    hidden = {32: 4, 64: 4, 128: 8, 256: 16}
    return 2 * sum(2 * w * hidden[w] + w + hidden[w] for w in (*WIDTHS, *WIDTHS[:3]))


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "squeeze"])
def a_narrow_net(request: pytest.FixtureRequest) -> TuNet:
    torch.manual_seed(0)
    return TuNet(2, (4, 6, 8), squeeze=request.param).eval()


def test_paper_width_has_the_parameters_that_the_layers_add_up_to() -> None:
    assert parameters(build(config("tu_net", "paper"))) == tu_net_parameters()
    assert parameters(build(config("l_net", "paper"))) == l_net_parameters()


def test_squeeze_adds_exactly_the_squeeze_and_excitation_parameters() -> None:
    squeezed = build(replace(config("tu_net", "paper"), squeeze=True))
    assert parameters(squeezed) - tu_net_parameters() == squeeze_parameters()


@pytest.mark.parametrize("key", [k for k, c in CONFIGS.items() if c.network in ("tu_net", "l_net")])
def test_two_maps_at_full_resolution(key: tuple[str, str]) -> None:
    patch = CONFIGS[key].patch
    with torch.device("meta"):
        network, x = build(CONFIGS[key]), torch.empty(1, 1, *patch)
        output, prediction = network(x), network.predict(x)
    assert output.shape == prediction.shape == (1, 2, *patch)


def test_t_net_sees_the_image_and_w_net_s_probability_map(a_narrow_net: TuNet) -> None:
    seen = []
    hook = a_narrow_net.t_net.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    x = torch.randn(2, 1, 8, 16, 12)
    with torch.no_grad():
        logits = a_narrow_net(x)
    hook.remove()
    assert torch.equal(seen[0], torch.cat([x, torch.sigmoid(logits[:, :1])], 1))


def test_levels_are_joined_by_max_pooling() -> None:
    """In L-Net, W-Net and T-Net a block's input begins with the 2x2x2 maxima of the block above."""
    tu_net = TuNet(2, (4, 6, 8))
    for network, channels in ((LNet(2, (4, 6, 8)), 1), (tu_net.w_net, 1), (tu_net.t_net, 2)):
        above, below = _first_two_levels(network, torch.randn(1, channels, 8, 12, 16))
        maxima = above.reshape(1, 4, 4, 2, 6, 2, 8, 2).amax((3, 5, 7))
        assert torch.equal(below[:, :4], maxima)


def _first_two_levels(network: UNet, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Output of the encoder's first block and input of its second one."""
    seen = []
    first, second = network.encoder.levels[:2]
    hooks = [
        first.register_forward_hook(lambda _, __, output: seen.append(output)),
        second.register_forward_pre_hook(lambda _, args: seen.append(args[0])),
    ]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return seen[0], seen[1]


@pytest.mark.parametrize("part", ["w_net", "t_net"])
def test_every_encoder_block_sees_the_image_at_its_own_resolution(a_narrow_net: TuNet, part: str) -> None:
    """The image is the first block's first channel and the others' last one; means over 1, 2^3 and 4^3 voxels."""
    seen = []
    levels = getattr(a_narrow_net, part).encoder.levels
    hooks = [level.register_forward_pre_hook(lambda _, args: seen.append(args[0])) for level in levels]
    x = torch.randn(1, 1, 8, 16, 12)
    with torch.no_grad():
        a_narrow_net(x)
    for hook in hooks:
        hook.remove()
    channels = [seen[0][0, 0], seen[1][0, -1], seen[2][0, -1]]
    for factor, channel in zip((1, 2, 4), channels, strict=True):
        blocks = x[0, 0].reshape(8 // factor, factor, 16 // factor, factor, 12 // factor, factor)
        assert torch.allclose(channel, blocks.mean((1, 3, 5)), atol=1e-6)
    assert [m.shape[1] for m in seen] == [1 if part == "w_net" else 2, 4 + 1, 6 + 1]


def test_tumor_loss_also_trains_w_net() -> None:
    torch.manual_seed(0)
    network = TuNet(2, (4, 6, 8))
    network(torch.randn(1, 1, 16, 16, 16))[:, 1].square().mean().backward()
    assert all(p.grad.abs().max() > 0 for p in network.w_net.parameters() if p.ndim > 1)


@pytest.mark.parametrize("model", ["tu_net", "l_net"])
def test_gradients_reach_every_parameter(model: str) -> None:
    torch.manual_seed(0)
    network = TuNet(2, (4, 6, 8), squeeze=True) if model == "tu_net" else LNet(2, (4, 6, 8))
    network(torch.randn(1, 1, 16, 16, 16)).square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert all(p.grad.abs().max() > 0 for p in network.parameters() if p.ndim > 1)


def test_prediction_is_what_forward_gives(a_narrow_net: TuNet) -> None:
    x = torch.randn(1, 1, 8, 8, 8)
    with torch.no_grad():
        assert torch.equal(a_narrow_net.predict(x), a_narrow_net(x))


def test_other_than_two_maps_are_refused() -> None:
    with pytest.raises(ValueError, match="two maps"):
        TuNet(3, (4, 6, 8))


def test_squeeze_and_excitation_is_monai_s() -> None:
    blocks = pytest.importorskip("monai.networks.blocks")
    torch.manual_seed(0)
    ours, theirs = SqueezeExcitation(96), blocks.ChannelSELayer(3, 96, r=16)
    theirs.fc.load_state_dict(ours.gates.state_dict())
    x = torch.randn(2, 96, 3, 4, 5)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)
