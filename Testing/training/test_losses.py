"""Losses against worked examples."""

from __future__ import annotations

import math

import pytest
import torch

from KidneyParsingLib.networks.ba_net import BANetOutput
from KidneyParsingLib.training.losses import (
    ba_net_loss,
    boundary_labels,
    deep_supervision_weights,
    downsampled,
    joint_loss,
    one_hot,
    plain_loss,
)  # fmt: skip


def test_joint_loss_of_two_voxels_by_hand() -> None:
    """Two voxels, two classes: p(foreground) = 0.8 where the truth is foreground, 0.4 where it is background.

    Dice of the foreground: 2 * 0.8 / (0.8 + 0.4 + 1) = 8/11; of the background: 2 * 0.6 / (0.6 + 0.2 + 1) = 2/3.
    Binary cross-entropy, mean over 2 voxels x 2 classes: -(2 ln 0.8 + 2 ln 0.6) / 4.
    """
    p = torch.tensor([[0.2, 0.6], [0.8, 0.4]])  # class x voxel
    logits = p.log().view(1, 2, 1, 1, 2)
    labels = torch.tensor([1, 0]).view(1, 1, 1, 2)
    dice = (8 / 11 + 2 / 3) / 2
    cross_entropy = -(math.log(0.8) + math.log(0.6)) / 2
    assert joint_loss(logits, labels).item() == pytest.approx(1 - dice + cross_entropy, abs=1e-5)


def test_joint_loss_is_nearly_zero_for_a_sure_right_answer_and_finite_for_a_sure_wrong_one() -> None:
    labels = torch.tensor([0, 1]).view(1, 1, 1, 2)
    right = (one_hot(labels, 2) * 60 - 30).requires_grad_()
    assert joint_loss(right, labels).item() == pytest.approx(0, abs=1e-4)
    wrong = (30 - one_hot(labels, 2) * 60).requires_grad_()
    loss = joint_loss(wrong, labels)
    loss.backward()
    assert loss.isfinite() and wrong.grad.isfinite().all()


def test_boundary_of_a_cube_is_its_shell() -> None:
    labels = torch.zeros(1, 9, 9, 9, dtype=torch.long)
    labels[0, 2:7, 2:7, 2:7] = 3
    boundary = boundary_labels(labels)
    assert int((boundary == 3).sum()) == 5**3 - 3**3
    assert boundary[0, 4, 4, 4] == 0 and boundary[0, 2, 4, 4] == 3
    assert set(boundary.unique().tolist()) == {0, 3}


def test_boundary_between_two_structures_belongs_to_both_and_the_image_border_is_none() -> None:
    labels = torch.ones(1, 1, 1, 6, dtype=torch.long)
    labels[..., 3:] = 2
    assert boundary_labels(labels).flatten().tolist() == [0, 0, 1, 2, 0, 0]


def test_downsampled_labels_are_labels_of_every_second_voxel() -> None:
    labels = torch.arange(8).view(1, 2, 2, 2)
    assert downsampled(labels, torch.Size((1, 1, 1))).item() == 0


def test_deep_supervision_weights_halve_and_sum_to_one() -> None:
    assert deep_supervision_weights(4) == pytest.approx([8 / 15, 4 / 15, 2 / 15, 1 / 15])


def test_ba_net_loss_is_the_weighted_sum_over_scales_with_the_boundary_of_each_scale() -> None:
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (1, 4, 4, 4))
    output = BANetOutput(
        [torch.randn(1, 3, 4, 4, 4), torch.randn(1, 3, 2, 2, 2)],
        [torch.randn(1, 3, 4, 4, 4), torch.randn(1, 3, 2, 2, 2)],
    )
    coarse = labels[:, ::2, ::2, ::2]
    expected = (
        2 / 3 * (joint_loss(output.segmentation[0], labels) + joint_loss(output.boundary[0], boundary_labels(labels)))
    )
    expected += (
        1 / 3 * (joint_loss(output.segmentation[1], coarse) + joint_loss(output.boundary[1], boundary_labels(coarse)))
    )
    assert ba_net_loss(output, labels).item() == pytest.approx(expected.item())


def test_plain_loss_by_hand() -> None:
    """One foreground voxel with p = 0.5 of two classes: Dice (2 * 0.5 + 1) / (0.5 + 1 + 1), cross-entropy ln 2."""
    logits, labels = torch.zeros(1, 2, 1, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.long)
    assert plain_loss(logits, labels).item() == pytest.approx(1 - 2 / 2.5 + math.log(2))
