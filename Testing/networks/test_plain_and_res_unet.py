"""Plain and residual-encoder U-Net, the shared blocks and the registry, against nnU-Net's description and MONAI."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

import KidneyParsingLib
from KidneyParsingLib.networks.blocks import InstanceNorm, ResidualBlock, conv_norm
from KidneyParsingLib.networks.checkpoint import load_network
from KidneyParsingLib.networks.configs import CONFIGS, config
from KidneyParsingLib.networks.plain_unet import PlainUNet
from KidneyParsingLib.networks.registry import NETWORKS, build
from KidneyParsingLib.networks.res_unet import ResUNet

WIDTHS = (32, 64, 128, 256, 320)
CLASSES = 7
LEAKY = ("leakyrelu", {"inplace": True, "negative_slope": 0.01})
INSTANCE = ("instance", {"affine": True})


def conv(inputs: int, outputs: int, kernel: int = 27) -> int:
    return inputs * outputs * kernel + outputs


def conv_and_norm(inputs: int, outputs: int) -> int:
    return conv(inputs, outputs) + 2 * outputs


def residual(inputs: int, outputs: int) -> int:
    """Two convolutions and norms; a 1x1x1 convolution without bias and a norm where the width changes."""
    shortcut = 0 if inputs == outputs else inputs * outputs + 2 * outputs
    return conv_and_norm(inputs, outputs) + conv_and_norm(outputs, outputs) + shortcut


def ups_and_heads() -> int:
    """Transposed convolutions of the decoder, and a head at each of its four scales."""
    return sum(conv(a, b, 8) for a, b in pairwise(WIDTHS[::-1])) + sum(conv(w, CLASSES, 1) for w in WIDTHS[:4])


def plain_parameters() -> int:
    encoder = sum(conv_and_norm(a, b) + conv_and_norm(b, b) for a, b in pairwise((1, *WIDTHS)))
    return encoder + sum(conv_and_norm(2 * w, w) + conv_and_norm(w, w) for w in WIDTHS[:4]) + ups_and_heads()


def res_parameters() -> int:
    total = conv_and_norm(1, 32) + ups_and_heads() + sum(conv_and_norm(2 * w, w) for w in WIDTHS[:4])
    for (a, b), blocks in zip(pairwise((32, *WIDTHS)), (1, 2, 3, 4, 4), strict=True):
        total += residual(a, b) + (blocks - 1) * residual(b, b)
    return total


def copy_parameters(source: nn.Module, target: nn.Module) -> None:
    """Copies the weights of convolutions and norms in the order of their definition; biases that `target` lacks stand
    before a norm, which takes them away."""
    for kind in (nn.Conv3d, nn.ConvTranspose3d, nn.InstanceNorm3d):
        ours, theirs = ([m for m in net.modules() if isinstance(m, kind)] for net in (source, target))
        for a, b in zip(ours, theirs, strict=True):
            b.weight.data.copy_(a.weight)
            if b.bias is not None:
                b.bias.data.copy_(a.bias)


def randomize_norms(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm3d):
            nn.init.normal_(module.weight, 1)
            nn.init.normal_(module.bias)


@pytest.mark.parametrize(("name", "expected"), [("plain_unet", plain_parameters()), ("res_unet", res_parameters())])
def test_paper_width_has_the_parameters_that_the_layers_add_up_to(name: str, expected: int) -> None:
    assert sum(p.numel() for p in build(config(name, "paper")).parameters()) == expected


@pytest.mark.parametrize("key", [k for k, c in CONFIGS.items() if c.network in ("plain_unet", "res_unet")])
def test_every_config_gives_one_map_a_supervised_scale(key: tuple[str, str]) -> None:
    with torch.device("meta"):
        network, x = build(CONFIGS[key]), torch.empty(1, 1, *CONFIGS[key].patch)
        output, prediction = network(x), network.predict(x)
    scales = range(len(CONFIGS[key].features) - 1 if CONFIGS[key].deep_supervision else 1)
    expected = [(1, CONFIGS[key].outputs, *(n // 2**s for n in CONFIGS[key].patch)) for s in scales]
    assert [tuple(m.shape) for m in output] == expected
    assert prediction.shape == output[0].shape


@pytest.mark.parametrize("kind", [PlainUNet, ResUNet])
def test_prediction_is_the_finest_scale_and_gradients_reach_every_parameter(kind: type) -> None:
    torch.manual_seed(0)
    network = kind(3, (4, 6, 8, 10), deep_supervision=True)
    x = torch.randn(1, 1, 16, 24, 16)
    output = network(x)
    assert torch.equal(network.predict(x), output[0])
    sum(m.square().mean() for m in output).backward()
    assert all(p.grad is not None for p in network.parameters())
    assert all(p.grad.abs().max() > 0 for p in network.parameters() if p.ndim > 1)


def test_deep_supervision_adds_the_auxiliary_heads_alone() -> None:
    plain, deep = PlainUNet(3, (4, 6, 8)), PlainUNet(3, (4, 6, 8), deep_supervision=True)
    added = {k: v.shape for k, v in deep.state_dict().items() if k not in plain.state_dict()}
    assert added == {"auxiliary_heads.0.weight": (3, 6, 1, 1, 1), "auxiliary_heads.0.bias": (3,)}


def test_the_released_locator_still_fits() -> None:
    network, network_config = load_network(Path(KidneyParsingLib.__file__).parent / "weights/locator-small.safetensors")
    assert isinstance(network, PlainUNet)
    assert len(network(torch.zeros(1, 1, 32, 32, 32))) == 1
    assert not network_config.deep_supervision


def test_residual_encoder_has_one_two_three_four_four_blocks_and_the_decoder_one_convolution_a_level() -> None:
    network = ResUNet(2, (2, 3, 4, 5, 6))
    assert [sum(isinstance(m, ResidualBlock) for m in level) for level in network.encoder.levels] == [1, 2, 3, 4, 4]
    assert [sum(isinstance(m, nn.Conv3d) for m in block.modules()) for block in network.blocks] == [1, 1, 1, 1]


def test_residual_block_whose_convolutions_are_zero_is_a_leaky_relu() -> None:
    """Norm of zeros is zero, so that the shortcut alone is left: x -> x or 0.01 x."""
    block = ResidualBlock(2, 2)
    for module in block.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    x = torch.tensor([-2.0, 3.0]).view(1, 2, 1, 1, 1).expand(1, 2, 2, 2, 2)
    assert torch.allclose(block(x)[0, :, 0, 0, 0], torch.tensor([-0.02, 3.0]))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("batch", [1, 2])
def test_instance_norm_is_torch_s(training: bool, batch: int) -> None:
    torch.manual_seed(0)
    x = (5 + 3 * torch.randn(batch, 4, 6, 8, 10)).to(memory_format=torch.channels_last_3d)
    norm = InstanceNorm(4).train(training)
    randomize_norms(norm)
    expected = torch.nn.functional.instance_norm(x, weight=norm.weight, bias=norm.bias)
    assert torch.allclose(norm(x), expected, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("training", [True, False])
def test_conv_norm_is_monai_s_convolution(stride: int, training: bool) -> None:
    blocks = pytest.importorskip("monai.networks.blocks")
    torch.manual_seed(0)
    theirs = blocks.Convolution(3, 3, 5, strides=stride, kernel_size=3, adn_ordering="NA", act=LEAKY, norm=INSTANCE)
    ours = conv_norm(3, 5, stride).train(training)
    randomize_norms(ours)
    copy_parameters(ours, theirs)
    x = torch.randn(1, 3, 8, 6, 10)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(4, 4, 1), (4, 6, 1), (4, 6, 2)])
def test_residual_block_is_monai_s(inputs: int, outputs: int, stride: int) -> None:
    dynunet_block = pytest.importorskip("monai.networks.blocks.dynunet_block")
    torch.manual_seed(0)
    theirs = dynunet_block.UnetResBlock(3, inputs, outputs, 3, stride, norm_name=INSTANCE, act_name=LEAKY)
    ours = ResidualBlock(inputs, outputs, stride)
    randomize_norms(ours)
    copy_parameters(ours, theirs)
    x = torch.randn(1, inputs, 8, 6, 10)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_plain_unet_is_monai_s_dynunet() -> None:
    nets = pytest.importorskip("monai.networks.nets")
    torch.manual_seed(0)
    widths = (4, 6, 8)
    theirs = nets.DynUNet(
        3, 1, 5, [3, 3, 3], [1, 2, 2], [2, 2], filters=widths, norm_name=INSTANCE, act_name=LEAKY, trans_bias=True
    )
    ours = PlainUNet(5, widths)
    randomize_norms(ours)
    copy_parameters(ours, theirs)
    x = torch.randn(1, 1, 16, 8, 12)
    assert torch.allclose(ours.predict(x), theirs(x), atol=1e-4)


def test_every_network_of_the_configs_is_registered_and_the_other_way_round() -> None:
    assert set(NETWORKS) == {c.network for c in CONFIGS.values()}
