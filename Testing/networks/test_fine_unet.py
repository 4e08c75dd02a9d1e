"""The U-Net that sees and tells apart voxels half as wide as those that it thinks in."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from KidneyParsingLib.inference.network_pass import most_voxels
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.networks.fine_unet import FineUNet
from KidneyParsingLib.networks.registry import build

SIZE = (16, 24, 32)


def a_network() -> FineUNet:
    torch.manual_seed(0)
    return FineUNet(3, (4, 6, 8)).eval()


def test_every_voxel_of_the_input_has_its_logits_and_gradients_reach_every_parameter() -> None:
    network = a_network().train()
    torch.nn.init.normal_(network.added.weight)
    output = network(torch.randn(2, 1, *SIZE))
    assert output.shape == (2, 3, *SIZE)
    output.square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert all(p.grad.abs().max() > 0 for p in network.parameters() if p.ndim > 1)


def test_what_it_starts_as_sees_no_more_than_the_means_of_blocks_where_their_weights_are_one_another_s() -> None:
    network = a_network()
    torch.nn.init.ones_(network.encoder.levels[0][0][0].weight)
    image = torch.randn(1, 1, *SIZE)
    swapped = image.unflatten(4, (SIZE[2] // 2, 2)).flip(5).flatten(4)
    with torch.no_grad():
        torch.testing.assert_close(network.predict(image), network.predict(swapped))
    torch.nn.init.normal_(network.added.weight)
    with torch.no_grad():
        assert (network.predict(image) - network.predict(swapped)).abs().max() > 0.1


def test_it_can_learn_what_lies_in_which_half_of_a_block() -> None:
    """Stripes one voxel wide, of which the means of blocks show nothing."""
    network = FineUNet(2, (4, 6, 8)).train()
    torch.manual_seed(1)
    x = torch.zeros(1, 1, *SIZE)
    x[..., ::2] = 1
    x, labels = x + 0.1 * torch.randn_like(x), x[:, 0].long()
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()
    with torch.no_grad():
        assert (network(x).argmax(1) == labels).float().mean() > 0.98


def test_its_sizes_are_multiples_of_twice_those_of_a_u_net_as_deep() -> None:
    second = config("second_look")
    assert second.stride == 2 * replace(second, fold=1).stride == 2 ** len(second.features)
    with torch.device("meta"):
        output = build(second)(torch.empty(1, 1, *(second.stride * n for n in (1, 2, 3))))
    assert output.shape == (1, len(second.classes), *(second.stride * n for n in (1, 2, 3)))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_single_pass_takes_a_large_kidney_but_not_eight_times_the_voxels(device: str) -> None:
    """Its feature maps have an eighth of the voxels, its outputs all of them."""
    second = config("second_look")
    folded, plain = most_voxels(second, device), most_voxels(replace(second, fold=1), device)
    assert folded >= 160 * 160 * 160 and 2 * plain < folded < 8 * plain
