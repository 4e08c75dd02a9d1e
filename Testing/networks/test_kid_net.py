"""Kid-Net's structural rules (arXiv 1806.06769, section 2)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.ndimage import zoom
from scipy.special import softmax

from KidneyParsingLib.networks.configs import CONFIGS, config
from KidneyParsingLib.networks.kid_net import KidNet
from KidneyParsingLib.networks.registry import build

WIDTHS = (32, 64, 128, 256)


def conv(inputs: int, outputs: int, kernel: int = 27) -> int:
    return inputs * outputs * kernel + outputs


def double(inputs: int, outputs: int) -> int:
    return conv(inputs, outputs) + conv(outputs, outputs) + 2 * 2 * outputs


def paper_parameters() -> int:
    down = sum(double(a, b) for a, b in pairwise((1, *WIDTHS)))
    up = sum(conv(a, b, 8) + double(2 * b, b) for a, b in pairwise(WIDTHS[::-1]))
    return down + up + sum(conv(w, 4, 1) for w in WIDTHS)


def enlarged(maps: np.ndarray, factor: int) -> np.ndarray:
    """Linear interpolation between voxel centres by SciPy; maps (C, z, y, x)."""
    return zoom(maps, (1, factor, factor, factor), order=1, mode="nearest", grid_mode=True)


@pytest.fixture
def a_narrow_net() -> KidNet:
    torch.manual_seed(0)
    return KidNet(4, (4, 6, 8, 10)).eval()


def heads_run(network: KidNet, x: torch.Tensor) -> tuple[torch.Tensor, list[np.ndarray], list[np.ndarray]]:
    """The network's output, and inputs and outputs (C, z, y, x) of its heads, finest first."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    hooks = [h.register_forward_hook(lambda _, args, output: seen.append((args[0], output))) for h in network.heads]
    with torch.no_grad():
        output = network(x)
    for hook in hooks:
        hook.remove()
    return output, [a[0].numpy() for a, _ in seen], [b[0].numpy() for _, b in seen]


def test_paper_width_has_the_parameters_that_the_layers_add_up_to() -> None:
    assert sum(p.numel() for p in build(config("kid_net", "paper")).parameters()) == paper_parameters()


@pytest.mark.parametrize("name", ["paper", "small", "tiny"])
def test_one_map_a_class_at_full_resolution(name: str) -> None:
    patch = CONFIGS["kid_net", name].patch
    with torch.device("meta"):
        network, x = build(config("kid_net", name)), torch.empty(1, 1, *patch)
        output, prediction = network(x), network.predict(x)
    assert output.shape == prediction.shape == (1, 4, *patch)


def test_output_is_the_log_of_the_mean_of_the_scales_softmax_maps(a_narrow_net: KidNet) -> None:
    output, _, logits = heads_run(a_narrow_net, torch.randn(1, 1, 16, 24, 16))
    assert [m.shape for m in logits] == [(4, 16 // s, 24 // s, 16 // s) for s in (1, 2, 4, 8)]
    mean = np.mean([softmax(enlarged(m, 2**n), axis=0) for n, m in enumerate(logits)], axis=0)
    assert np.allclose(output[0].exp().numpy(), mean, atol=1e-5)


def test_links_start_from_every_down_sampled_feature_of_the_encoder_and_one_is_the_u_net_s_own(
    a_narrow_net: KidNet,
) -> None:
    x = torch.randn(1, 1, 16, 16, 16)
    _, features, _ = heads_run(a_narrow_net, x)
    with torch.no_grad():
        encoded = a_narrow_net.encoder(x)
        assert np.allclose(features[0], a_narrow_net.decode(x)[0][0].numpy(), atol=1e-6)
    for seen, down_sampled in zip(features[1:], encoded[1:], strict=True):
        assert np.allclose(seen, down_sampled[0].numpy(), atol=1e-6)


def test_heads_before_upsampling_give_what_they_would_give_after_it(a_narrow_net: KidNet) -> None:
    _, features, logits = heads_run(a_narrow_net, torch.randn(1, 1, 16, 16, 16))
    for n, head in enumerate(a_narrow_net.heads):
        weight, bias = head.weight.detach().numpy()[:, :, 0, 0, 0], head.bias.detach().numpy()
        after = np.einsum("kc,czyx->kzyx", weight, enlarged(features[n], 2**n)) + bias[:, None, None, None]
        assert np.allclose(enlarged(logits[n], 2**n), after, atol=1e-5)


def test_a_softmax_of_the_prediction_is_the_mean_map(a_narrow_net: KidNet) -> None:
    with torch.no_grad():
        prediction = a_narrow_net.predict(torch.randn(1, 1, 16, 16, 16))
    assert torch.allclose(prediction.softmax(1), prediction.exp(), atol=1e-6)
    assert torch.allclose(prediction.exp().sum(1), torch.ones(1, 16, 16, 16), atol=1e-5)


@pytest.mark.parametrize("scale", range(4))
def test_every_scale_has_a_quarter_of_the_say(a_narrow_net: KidNet, scale: int) -> None:
    """A scale that is sure of class 2 everywhere, and three that give every class 1/4:
    p = (1 + 3 / 4) / 4 = 7 / 16 for class 2 and (3 / 4) / 4 = 3 / 16 for the others."""
    with torch.no_grad():
        for head in a_narrow_net.heads:
            head.weight.zero_()
            head.bias.zero_()
        a_narrow_net.heads[scale].bias[2] = 100
        p = a_narrow_net(torch.randn(1, 1, 16, 16, 16)).exp()[0, :, 3, 5, 7]
    assert p.tolist() == pytest.approx([3 / 16, 3 / 16, 7 / 16, 3 / 16])


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    network = KidNet(4, (4, 6, 8))
    network(torch.randn(1, 1, 16, 16, 16)).square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert all(p.grad.abs().max() > 0 for p in network.parameters() if p.ndim > 1)


def test_log_probabilities_stay_float32_and_finite_in_mixed_precision(a_narrow_net: KidNet) -> None:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = a_narrow_net(100 * torch.randn(1, 1, 16, 16, 16))
    assert output.dtype == torch.float32
    assert output.isfinite().all()
