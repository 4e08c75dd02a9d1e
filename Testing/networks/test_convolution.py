"""The 3x3x3 convolution of small samples, against torch's own, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from KidneyParsingLib.networks.convolution import Conv3d

# Depths of one, two and more slices, odd and even; the last is too large to be cut into halves.
SHAPES = ((1, 5, 4), (2, 4, 4), (3, 4, 5), (7, 6, 5), (8, 5, 6), (41, 40, 2))


def pair(stride: int) -> tuple[Conv3d, nn.Conv3d]:
    torch.manual_seed(0)
    ours, theirs = Conv3d(13, 5, stride), nn.Conv3d(13, 5, 3, stride, padding=1)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def image(shape: tuple[int, ...], batch: int = 1) -> torch.Tensor:
    made = torch.randn(batch, 13, *shape, generator=torch.Generator().manual_seed(1))
    return made.contiguous(memory_format=torch.channels_last_3d)


def gradients(network: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Of the image, the weights and the bias, for an output of which every voxel counts otherwise."""
    x = x.clone().requires_grad_()
    out = network(x)
    (out * torch.arange(out.numel()).view(out.shape)).mean().backward()
    return [x.grad, *(p.grad for p in network.parameters())]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_convolution_of_torch(shape: tuple[int, ...], stride: int) -> None:
    ours, theirs = pair(stride)
    expected = theirs(image(shape))
    found = ours(image(shape))
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(gradients(ours, image(shape)), gradients(theirs, image(shape)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


@pytest.mark.parametrize(("dtype", "batch"), [(torch.float64, 1), (torch.bfloat16, 1), (torch.float32, 2)])
def test_other_types_and_batches_are_left_to_torch(dtype: torch.dtype, batch: int) -> None:
    ours, theirs = (network.to(dtype) for network in pair(1))
    x = image((6, 5, 4), batch).to(dtype)
    assert torch.equal(ours(x), theirs(x))


def test_the_layout_stays() -> None:
    """Channels-last, in which every convolution after it is fastest."""
    ours, _ = pair(1)
    assert ours.to(memory_format=torch.channels_last_3d)(image((6, 5, 4))).is_contiguous(
        memory_format=torch.channels_last_3d
    )
