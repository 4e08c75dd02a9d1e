"""BA-Net's structural rules (arXiv 2208.13338, sections 3.1-3.3)."""

from __future__ import annotations

import pytest
import torch

from KidneyParsingLib.networks.ba_net import BANet, DecoderLevel, any_boundary, enhance
from KidneyParsingLib.networks.configs import CONFIGS, STRUCTURE_CLASSES, config
from KidneyParsingLib.networks.registry import build

CLASSES = len(STRUCTURE_CLASSES)


def conv_parameters(inputs: int, outputs: int, kernel: int = 27) -> int:
    return inputs * outputs * kernel + outputs


def block_parameters(inputs: int, outputs: int) -> int:
    """Two 3x3x3 convolutions, each with an affine instance norm (2 parameters a channel)."""
    return conv_parameters(inputs, outputs) + conv_parameters(outputs, outputs) + 2 * 2 * outputs


def paper_parameters() -> int:
    widths = (32, 64, 128, 256, 320)
    encoder = sum(block_parameters(a, b) for a, b in zip((1, *widths), widths))
    decoder = 0
    for below, width in ((320, 256), (256, 128), (128, 64), (64, 32)):
        decoder += conv_parameters(below, width, 8) + block_parameters(2 * width, width)
        decoder += conv_parameters(width, CLASSES, 1)
    return encoder + 2 * decoder


@pytest.fixture(scope="module")
def a_narrow_net() -> BANet:
    torch.manual_seed(0)
    return BANet(CLASSES, features=(4, 6, 8, 10, 12)).eval()


def test_paper_width_has_the_parameters_that_the_paper_s_layers_add_up_to() -> None:
    network = build(config("ba_net", "paper"))
    assert sum(p.numel() for p in network.parameters()) == paper_parameters()


def test_five_encoder_levels_and_four_supervised_scales_in_both_decoders(a_narrow_net: BANet) -> None:
    with torch.no_grad():
        output = a_narrow_net(torch.randn(2, 1, 32, 48, 16))
    expected = [(2, CLASSES, 32 // s, 48 // s, 16 // s) for s in (1, 2, 4, 8)]
    assert [tuple(m.shape) for m in output.segmentation] == expected
    assert [tuple(m.shape) for m in output.boundary] == expected


def test_any_boundary_is_one_minus_background() -> None:
    logits = torch.log(torch.tensor([0.7, 0.2, 0.1]))[None, :, None, None, None]
    assert any_boundary(logits).item() == pytest.approx(0.3)


def test_enhance_is_one_plus_p_times_features() -> None:
    features = torch.arange(8.0).view(1, 2, 1, 2, 2)
    p = torch.tensor([0.0, 0.5, 1.0, 0.25]).view(1, 1, 1, 2, 2)
    expected = torch.tensor([0.0, 1.5, 4.0, 3.75, 4.0, 7.5, 12.0, 8.75]).view(1, 2, 1, 2, 2)
    assert torch.equal(enhance(features, p), expected)


def test_segmentation_decoder_s_block_sees_the_enhanced_upsampled_features_and_the_skip(a_narrow_net: BANet) -> None:
    """Eq. 1 inside the running network: (1 + p_b) * U(f) at every scale, with the boundary map of that same scale."""
    seen, upsampled = [], []
    hooks = [level.block.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
             for level in a_narrow_net.segmentation_decoder]  # fmt: skip
    hooks += [level.up.register_forward_hook(lambda _, __, y: upsampled.append(y))
              for level in a_narrow_net.segmentation_decoder]  # fmt: skip
    with torch.no_grad():
        output = a_narrow_net(torch.randn(1, 1, 16, 16, 32))
    for hook in hooks:
        hook.remove()
    for block_input, up, boundary in zip(seen, upsampled, reversed(output.boundary), strict=True):
        p = 1 - torch.softmax(boundary, 1)[:, 0:1]
        assert torch.allclose(block_input[:, : up.shape[1]], (1 + p) * up)
        assert p.min() >= 0 and p.max() <= 1


def test_boundary_decoder_is_not_enhanced_and_does_not_see_the_segmentation(a_narrow_net: BANet) -> None:
    x = torch.randn(1, 1, 32, 16, 16)
    with torch.no_grad():
        before = a_narrow_net(x).boundary[0]
        for parameter in a_narrow_net.segmentation_decoder.parameters():
            parameter.add_(0.1)
        after = a_narrow_net(x).boundary[0]
        for parameter in a_narrow_net.segmentation_decoder.parameters():
            parameter.sub_(0.1)
    assert torch.equal(before, after)


def test_prediction_is_the_last_segmentation_scale(a_narrow_net: BANet) -> None:
    x = torch.randn(1, 1, 16, 32, 16)
    with torch.no_grad():
        assert torch.equal(a_narrow_net.predict(x), a_narrow_net(x).segmentation[0])


def test_decoder_level_without_boundary_map_is_a_plain_one() -> None:
    level = DecoderLevel(6, 4, 3)
    below, skip = torch.randn(1, 6, 4, 4, 4), torch.randn(1, 4, 8, 8, 8)
    zero = torch.zeros(1, 1, 8, 8, 8)
    for plain, enhanced in zip(level(below, skip), level(below, skip, zero), strict=True):
        assert torch.equal(plain, enhanced)


@pytest.mark.parametrize(("model", "name"), CONFIGS)
def test_every_config_is_built_for_its_own_patch(model: str, name: str) -> None:
    network_config = config(model, name)
    with torch.device("meta"):
        network = build(network_config)
        logits = network.predict(torch.empty(1, 1, *network_config.patch))
    assert logits.shape == (1, network_config.outputs, *network_config.patch)
