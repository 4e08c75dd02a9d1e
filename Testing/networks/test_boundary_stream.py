"""The boundary-stream network's structural rules (arXiv 1909.06684, sections 3.1 and 3.2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import nn

from KidneyParsingLib.networks.blocks import ResidualBlock, upsampled
from KidneyParsingLib.networks.boundary_stream import AttentionGate, BoundaryStreamNet
from KidneyParsingLib.networks.configs import CONFIGS, config
from KidneyParsingLib.networks.registry import build

WIDTHS = (16, 32, 64, 128)


def conv(inputs: int, outputs: int, kernel: int = 27) -> int:
    return inputs * outputs * kernel + outputs


def residual(inputs: int, outputs: int) -> int:
    shortcut = 0 if inputs == outputs else inputs * outputs + 2 * outputs
    return conv(inputs, outputs) + conv(outputs, outputs) + 2 * 2 * outputs + shortcut


def paper_parameters() -> int:
    encoder = conv(1, 16) + sum(residual(w, w) for w in WIDTHS[:3]) + sum(conv(a, b) for a, b in pairwise(WIDTHS))
    encoder += 4 * residual(128, 128)
    decoder = sum(conv(a, b, 1) + residual(b, b) for a, b in pairwise(WIDTHS[::-1]))
    gates = sum(2 * conv(w, w) + conv(w, 1, 1) for w in WIDTHS[:3])
    stream = residual(128 + 64, 64) + conv(64, 32, 1) + conv(32, 16, 1) + gates
    return encoder + decoder + stream + conv(16, 2, 1) + conv(32, 2, 1)


class Recorded:
    """What went into the named modules of a network and what came out, in one forward pass."""

    def __init__(self, network: nn.Module, x: torch.Tensor) -> None:
        self.inputs: dict[str, tuple[torch.Tensor, ...]] = {}
        self.outputs: dict[str, torch.Tensor] = {}
        hooks = [module.register_forward_hook(self._hook(name)) for name, module in network.named_modules() if name]
        with torch.no_grad():
            self.result = network(x)
        for hook in hooks:
            hook.remove()

    def _hook(self, name: str) -> Callable[[nn.Module, tuple, torch.Tensor], None]:
        def record(_module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
            self.inputs[name], self.outputs[name] = inputs, output

        return record


@pytest.fixture(scope="module")
def a_narrow_net() -> BoundaryStreamNet:
    torch.manual_seed(0)
    return BoundaryStreamNet(2, (4, 8, 16, 32)).eval()


@pytest.fixture(scope="module")
def recorded(a_narrow_net: BoundaryStreamNet) -> Recorded:
    torch.manual_seed(1)
    return Recorded(a_narrow_net, torch.randn(1, 1, 16, 24, 32))


def test_paper_width_has_the_parameters_that_the_layers_add_up_to() -> None:
    network = build(config("boundary_stream", "paper"))
    assert sum(p.numel() for p in network.parameters()) == paper_parameters()


@pytest.mark.parametrize("name", ["paper", "small", "tiny"])
def test_regions_and_edges_have_two_maps_at_full_resolution(name: str) -> None:
    patch = CONFIGS["boundary_stream", name].patch
    with torch.device("meta"):
        network, x = build(config("boundary_stream", name)), torch.empty(1, 1, *patch)
        output, prediction = network(x), network.predict(x)
    assert output.segmentation.shape == output.boundary.shape == prediction.shape == (1, 2, *patch)


def test_four_residual_blocks_at_the_bottom(a_narrow_net: BoundaryStreamNet) -> None:
    assert [type(m) for m in a_narrow_net.encoder.bottom] == [ResidualBlock] * 4


def test_every_level_down_halves_the_size_and_doubles_the_width(recorded: Recorded) -> None:
    shapes = [tuple(recorded.outputs[f"encoder.downs.{i}"].shape[1:]) for i in range(3)]
    assert shapes == [(8, 8, 12, 16), (16, 4, 6, 8), (32, 2, 3, 4)]


def test_decoder_adds_the_encoder_s_features(recorded: Recorded) -> None:
    for level in range(3):
        (block_input,) = recorded.inputs[f"decoder.blocks.{level}"]
        skip = recorded.outputs[f"encoder.blocks.{2 - level}"]
        assert torch.equal(block_input, recorded.outputs[f"decoder.ups.{level}"] + skip)


def test_stream_starts_with_the_encoder_s_output_beside_its_previous_resolution(recorded: Recorded) -> None:
    (start,) = recorded.inputs["stream.start"]
    bottom = nn.functional.interpolate(recorded.outputs["encoder.bottom"], scale_factor=2.0, mode="trilinear")
    assert torch.equal(start, torch.cat([bottom, recorded.outputs["encoder.blocks.2"]], 1))


def test_every_gate_sees_the_encoder_and_the_gate_before(recorded: Recorded) -> None:
    streams = [recorded.outputs[n] for n in ("stream.start", "stream.ups.0", "stream.ups.1")]
    for level, stream in enumerate(streams):
        from_encoder, from_stream = recorded.inputs[f"stream.gates.{level}"]
        assert torch.equal(from_encoder, recorded.outputs[f"encoder.blocks.{2 - level}"])
        assert torch.equal(from_stream, stream)
    for level in range(2):
        assert torch.equal(recorded.inputs[f"stream.ups.{level}"][0], recorded.outputs[f"stream.gates.{level}"])


def test_attention_is_one_map_between_0_and_1_times_the_stream(recorded: Recorded) -> None:
    for level in range(3):
        p = torch.sigmoid(recorded.outputs[f"stream.gates.{level}.to_map"])
        stream = recorded.inputs[f"stream.gates.{level}"][1]
        assert p.shape[1] == 1
        assert 0 < p.min() and p.max() < 1
        assert torch.equal(recorded.outputs[f"stream.gates.{level}"], stream * p)


def test_heads_see_what_the_paper_says(recorded: Recorded) -> None:
    edges = recorded.outputs["stream.gates.2"]
    assert torch.equal(recorded.inputs["boundary_head"][0], edges)
    assert torch.equal(recorded.inputs["head"][0], torch.cat([recorded.outputs["decoder"], edges], 1))
    assert torch.equal(recorded.result.boundary, recorded.outputs["boundary_head"])


def test_a_gate_by_hand() -> None:
    """One channel, convolutions that copy their input, e and s the two inputs: the gate gives s * sigmoid(relu(e + s)).
    e = 1, s = -3: -3 * sigmoid(0) = -1.5. e = 1, s = 2: 2 * sigmoid(3) = 2 / (1 + exp(-3)) = 1.905."""
    gate = AttentionGate(1)
    for parameter in gate.parameters():
        nn.init.zeros_(parameter)
    for convolution in (gate.of_encoder, gate.of_stream):
        nn.init.dirac_(convolution.weight)
    nn.init.ones_(gate.to_map.weight)
    stream = torch.tensor([-3.0, 2.0]).view(1, 1, 1, 1, 2)
    assert gate(torch.ones_like(stream), stream).flatten().tolist() == pytest.approx([-1.5, 2 / (1 + math.exp(-3))])


def test_upsampling_is_linear_between_voxel_centres() -> None:
    """Values 0 and 1 at voxel centres 0.5 and 1.5; centres of the finer grid: 0.25, 0.75, 1.25, 1.75."""
    x = torch.tensor([0.0, 1.0]).view(1, 1, 1, 1, 2)
    assert upsampled(x)[0, 0, 0, 0].tolist() == [0.0, 0.25, 0.75, 1.0]


def test_prediction_is_the_segmentation(a_narrow_net: BoundaryStreamNet) -> None:
    x = torch.randn(1, 1, 16, 16, 16)
    with torch.no_grad():
        assert torch.equal(a_narrow_net.predict(x), a_narrow_net(x).segmentation)


@pytest.mark.parametrize(
    ("output", "untouched"), [("boundary", {"decoder", "head"}), ("segmentation", {"boundary_head"})]
)
def test_each_loss_reaches_everything_before_its_own_head(output: str, untouched: set[str]) -> None:
    torch.manual_seed(0)
    network = BoundaryStreamNet(2, (4, 8, 16))
    getattr(network(torch.randn(1, 1, 16, 16, 16)), output).square().mean().backward()
    assert {name.split(".")[0] for name, p in network.named_parameters() if p.grad is None} == untouched
    weights = [p for p in network.parameters() if p.grad is not None and p.ndim > 1]
    assert all(p.grad.abs().max() > 0 for p in weights)


def test_regions_see_the_edges_and_train_the_stream() -> None:
    """With the decoder's half of the last convolution at zero the regions' gradient still reaches the stream."""
    torch.manual_seed(0)
    network = BoundaryStreamNet(2, (4, 8, 16))
    nn.init.zeros_(network.head.weight.data[:, :4])
    network(torch.randn(1, 1, 16, 16, 16)).segmentation.square().mean().backward()
    assert all(p.grad.abs().max() > 0 for p in network.stream.parameters() if p.ndim > 1)
    assert all(p.grad.abs().max() == 0 for p in network.decoder.parameters())
