"""Losses of how much of a voxel each class fills: worked examples, the loss of whole labels, and a thin tube."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from KidneyParsingLib.networks.ba_net import BANetOutput
from KidneyParsingLib.training.losses.ba_net import weighted_ba_net_loss
from KidneyParsingLib.training.losses.common import one_hot
from KidneyParsingLib.training.losses.plain import dice_cross_entropy
from KidneyParsingLib.training.losses.soft_labels import raised, soft_label_dice, soft_label_loss, without
from KidneyParsingLib.training.losses.weighted import weighted_plain_loss

CLASSES, SHAPE = 3, (4, 6, 8)
WEIGHTS = torch.tensor([1.0, 2.0, 5.0])


def noise(seed: int) -> torch.Tensor:
    return torch.randn(2, CLASSES, *SHAPE, generator=torch.Generator().manual_seed(seed))


def labels() -> torch.Tensor:
    return torch.randint(0, CLASSES, (2, *SHAPE), generator=torch.Generator().manual_seed(5))


def test_shares_of_nothing_or_all_have_the_loss_of_labels() -> None:
    keep = (noise(3)[:, :1] > 0).float()
    for mask in (None, keep):
        expected = dice_cross_entropy(noise(1), labels(), mask, WEIGHTS)
        found = soft_label_loss(noise(1), one_hot(labels(), CLASSES), mask, WEIGHTS)
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_loss_is_least_where_probabilities_are_the_shares() -> None:
    shares = noise(1).softmax(1)
    right = soft_label_loss(shares.log(), shares, None, WEIGHTS)
    for step in (0.1, 1.0):
        for seed in range(5):
            assert soft_label_loss(shares.log() + step * noise(10 + seed), shares, None, WEIGHTS) > right
    surer = soft_label_loss(3 * shares.log(), shares, None, WEIGHTS)
    assert surer > right  # soft Dice alone would prefer it


def test_dice_of_a_worked_example() -> None:
    """Shares 1, 1/2, 0 and probabilities 1, 0, 1/2 of a class: sizes 1.5 + 1.5, differences 0.5 + 0.5."""
    shares, p = (torch.tensor(v).view(1, 1, 1, 1, 3) for v in ([1.0, 0.5, 0.0], [1.0, 0.0, 0.5]))
    assert soft_label_dice(p, shares, smooth=0.0).item() == pytest.approx(2 / 3)
    assert soft_label_dice(shares, shares, smooth=0.0).item() == pytest.approx(1)


def test_raised_shares_sum_to_one_and_win_where_they_shall() -> None:
    """A class of factor 3 that fills a quarter of a voxel is as much as the background there."""
    shares = torch.tensor([0.75, 0.0, 0.25]).view(1, 3, 1, 1, 1)
    assert raised(shares, torch.tensor([1.0, 2.0, 3.0])).flatten().tolist() == pytest.approx([0.5, 0.0, 0.5])


def test_a_thin_tube_keeps_its_volume() -> None:
    """A tube of 3 mm askew through voxels of 2 mm: its shares, interpolated to voxels of 0.25 mm, against one class a
    voxel. The truth is the tube itself."""
    fine = torch.stack(torch.meshgrid(*[torch.arange(160) * 0.25 + 0.125] * 2, indexing="ij"))
    height = torch.arange(64)[:, None, None] * 0.25
    tube = ((fine[0] - 19 - 0.2 * height).hypot(fine[1] - 20.4 - 0.1 * height) < 1.5).float()
    shares = F.avg_pool3d(torch.stack([1 - tube, tube])[None], 8)
    volumes = {}
    for name, maps in (
        ("raised", raised(shares, torch.tensor([1.0, 3.0]))),
        ("as they are", shares),
        ("one class", one_hot(shares.argmax(1), 2)),
    ):
        scores = F.interpolate(maps.clamp_min(1e-2).log(), scale_factor=8, mode="trilinear")
        volumes[name] = (scores.argmax(1).sum() / tube.sum()).item()
    assert volumes["raised"] == pytest.approx(1, abs=0.12)
    assert volumes["one class"] < 0.85 and volumes["as they are"] < 0.85


def test_ba_net_learns_shares_where_there_are_any() -> None:
    loss = partial(weighted_ba_net_loss, class_weights=WEIGHTS, share_factors=torch.ones(CLASSES))
    output, batch = BANetOutput([noise(1)], [noise(2)]), {"labels": labels()}
    whole = batch | {"shares": one_hot(labels(), CLASSES)}
    expected = loss(output, batch).item()
    assert loss(output, whole).item() == pytest.approx(expected, rel=1e-5)
    assert loss(output, batch | {"shares": noise(4).softmax(1)}).item() != pytest.approx(expected, rel=1e-2)


def test_shares_are_learned_raised_where_they_shall_be() -> None:
    """Probabilities equal to the shares, of which one class's count threefold, leave the least loss."""
    factors = torch.ones(CLASSES)
    factors[1] = 3.0
    shares = noise(1).softmax(1)
    raised_shares = shares * factors.view(1, -1, 1, 1, 1)
    best = (raised_shares / raised_shares.sum(1, keepdim=True)).log()
    batch = {"labels": shares.argmax(1), "shares": shares}
    loss = partial(weighted_plain_loss, batch=batch, class_weights=WEIGHTS, share_factors=factors)
    assert loss(best) < loss(best + 0.1 * noise(7)) and loss(best) < loss(shares.log())


def test_ba_net_s_coarse_scales_learn_the_mean_shares() -> None:
    """At a scale of half the resolution, probabilities equal to the blocks' means leave the least loss."""
    loss = partial(weighted_ba_net_loss, class_weights=WEIGHTS, share_factors=torch.ones(CLASSES))
    shares = noise(1).softmax(1)
    coarse = F.avg_pool3d(shares, 2)
    batch = {"labels": shares.argmax(1), "shares": shares}
    boundary = torch.zeros_like(coarse)
    right = loss(BANetOutput([coarse.log()], [boundary]), batch)
    assert right < loss(BANetOutput([coarse.log() + 0.3 * noise(7)[:, :, ::2, ::2, ::2]], [boundary]), batch)


def test_where_there_is_no_lesion_only_lesions_are_pushed_down() -> None:
    """The cross-entropy's gradient is that of -log of what all other classes have together, by autograd."""
    absent = torch.tensor([False, False, True]).view(1, 3, 1, 1, 1)
    logits, same = noise(1).requires_grad_(), noise(1).requires_grad_()
    target = without(absent, logits)
    (-(target * logits.log_softmax(1)).sum(1)).sum().backward()
    (-(1 - same.softmax(1)[:, 2]).log()).sum().backward()
    assert torch.allclose(logits.grad, same.grad, atol=1e-5)
    assert (logits.grad[:, 2] > 0).all() and not target[:, 2].any()


@pytest.mark.parametrize("knows_lesions", [True, False])
def test_losses_of_shares_look_for_lesions_alone_where_all_else_is_unknown(knows_lesions: bool) -> None:
    """The other logits are pulled up in proportion to their probabilities, whatever the labels say."""
    lesions = torch.tensor([False, False, True]) if knows_lesions else None
    keep = torch.ones(2, *SHAPE)
    keep[:, 2:] = 0
    batch = {"labels": labels(), "shares": one_hot(labels(), CLASSES), "keep": keep, "no_lesion": 1 - keep}
    logits = noise(1).requires_grad_()
    weighted_plain_loss(logits, batch, WEIGHTS, torch.ones(CLASSES), lesions).backward()
    there, p = logits.grad[:, :, 2:], logits.detach().softmax(1)[:, :, 2:]
    assert bool(there.any()) == knows_lesions and logits.grad[:, :, :2].any()
    if knows_lesions:
        assert (there[:, 2] > 0).all()
        assert torch.allclose(there[:, 0] * p[:, 1], there[:, 1] * p[:, 0], atol=1e-8)


def test_ba_net_s_boundaries_do_not_look_where_only_lesions_are_known_to_be_absent() -> None:
    keep = torch.ones(2, *SHAPE)
    keep[:, 2:] = 0
    shares = one_hot(labels(), CLASSES)
    batch = {"labels": labels(), "shares": shares, "keep": keep, "no_lesion": 1 - keep}
    segmentation, boundary = noise(1).requires_grad_(), noise(2).requires_grad_()
    lesions = torch.tensor([False, False, True])
    output = BANetOutput([segmentation, segmentation[..., ::2, ::2, ::2]], [boundary, boundary[..., ::2, ::2, ::2]])
    weighted_ba_net_loss(output, batch, WEIGHTS, torch.ones(CLASSES), lesions).backward()
    assert not boundary.grad[:, :, 2:].any() and boundary.grad[:, :, :1].any()
    assert (segmentation.grad[:, 2, 2:] > 0).all()


def test_a_coarse_voxel_is_free_of_lesions_only_if_all_of_it_is_known_to_be() -> None:
    """Blocks of two columns, of which the first only is known to be free, and of which both are."""
    free = torch.zeros(2, *SHAPE)
    free[..., 0] = free[..., 2:4] = 1
    batch = {"labels": labels(), "shares": one_hot(labels(), CLASSES), "keep": torch.zeros(2, *SHAPE)}
    logits = torch.zeros(2, CLASSES, *(n // 2 for n in SHAPE), requires_grad=True)
    lesions = torch.tensor([False, False, True])
    weighted_plain_loss(logits, batch | {"no_lesion": free}, WEIGHTS, torch.ones(CLASSES), lesions).backward()
    assert logits.grad.abs().sum((0, 1, 2, 3)).bool().tolist() == [False, True, False, False]
