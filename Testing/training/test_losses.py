"""Losses against worked examples, against monai and torch, and what all of them have in common."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from KidneyParsingLib.networks.ba_net import BANetOutput
from KidneyParsingLib.networks.boundary_stream import BoundaryStreamOutput
from KidneyParsingLib.networks.sc_unet import SCUNetOutput
from KidneyParsingLib.training.losses import kid_net
from KidneyParsingLib.training.losses.ba_net import ba_net_loss, joint_loss, weighted_ba_net_loss
from KidneyParsingLib.training.losses.boundary_stream import boundary_stream_loss, weighted_edge_cross_entropy
from KidneyParsingLib.training.losses.common import (
    boundary_labels,
    deep_supervision_weights,
    downsampled,
    nested_targets,
    one_hot,
    soft_dice,
)
from KidneyParsingLib.training.losses.kid_net import KidNetLoss
from KidneyParsingLib.training.losses.plain import dice_cross_entropy, plain_loss
from KidneyParsingLib.training.losses.sc_unet import (
    balanced_cross_entropy,
    sc_unet_cross_entropy_loss,
    sc_unet_loss,
)
from KidneyParsingLib.training.losses.tu_net import tu_net_loss
from KidneyParsingLib.training.losses.weighted import weighted_plain_loss

LN2 = math.log(2)
WEIGHTED = partial(weighted_ba_net_loss, class_weights=torch.tensor([1.0, 2.0, 5.0]), share_factors=torch.ones(3))


def row(*labels: int) -> torch.Tensor:
    """Labels (1, 1, 1, W) of one row of voxels."""
    return torch.tensor(labels).view(1, 1, 1, -1)


def maps(*rows: list[float]) -> torch.Tensor:
    """(1, C, 1, 1, W) from one list of values a map."""
    return torch.tensor(rows).view(1, len(rows), 1, 1, -1)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def random_batch(samples: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)

    def drawn(classes: int) -> torch.Tensor:
        return torch.randint(0, classes, (samples, 4, 6, 8), generator=generator)

    return {
        "labels": drawn(3),
        "kidney_edge": drawn(2),
        "tumor_edge": drawn(2),
        "keep": drawn(2).float(),
    }


# Targets and pieces.


def test_nested_targets_are_the_whole_kidney_and_the_tumor() -> None:
    assert nested_targets(row(0, 1, 2)).flatten(2).tolist() == [[[0, 1, 1], [0, 0, 1]]]


def test_boundary_of_a_cube_is_its_shell() -> None:
    labels = torch.zeros(1, 9, 9, 9, dtype=torch.long)
    labels[0, 2:7, 2:7, 2:7] = 3
    boundary = boundary_labels(labels)
    assert int((boundary == 3).sum()) == 5**3 - 3**3
    assert boundary[0, 4, 4, 4] == 0 and boundary[0, 2, 4, 4] == 3
    assert set(boundary.unique().tolist()) == {0, 3}


def test_boundary_between_two_structures_belongs_to_both_and_the_image_border_is_none() -> None:
    assert boundary_labels(row(1, 1, 1, 2, 2, 2)).flatten().tolist() == [0, 0, 1, 2, 0, 0]


def test_downsampled_labels_are_labels_of_every_second_voxel() -> None:
    labels = torch.arange(8).view(1, 2, 2, 2)
    assert downsampled(labels, torch.Size((1, 1, 1))).item() == 0


def test_deep_supervision_weights_halve_and_sum_to_one() -> None:
    assert deep_supervision_weights(4) == pytest.approx([8 / 15, 4 / 15, 2 / 15, 1 / 15])


def test_soft_dice_by_hand() -> None:
    """p = 1/2, 1 against y = 0, 1: overlap 1, sizes 3/2 and 1, of squares 5/4 and 1."""
    p, y = maps([0.5, 1.0]), maps([0.0, 1.0])
    assert soft_dice(p, y).item() == pytest.approx(2 / 2.5)
    assert soft_dice(p, y, squared=True).item() == pytest.approx(2 / 2.25)
    assert soft_dice(p, y, smooth=1).item() == pytest.approx(3 / 3.5)


# BA-Net.


def test_joint_loss_of_two_voxels_by_hand() -> None:
    """Two voxels, two classes: p(foreground) = 0.8 where the truth is foreground, 0.4 where it is background.

    Dice of the foreground: 2 * 0.8 / (0.8 + 0.4 + 1) = 8/11; of the background: 2 * 0.6 / (0.6 + 0.2 + 1) = 2/3.
    Binary cross-entropy, mean over 2 voxels x 2 classes: -(2 ln 0.8 + 2 ln 0.6) / 4.
    """
    logits = maps([0.6, 0.2], [0.4, 0.8]).log()
    dice = (8 / 11 + 2 / 3) / 2
    cross_entropy = -(math.log(0.8) + math.log(0.6)) / 2
    assert joint_loss(logits, row(0, 1)).item() == pytest.approx(1 - dice + cross_entropy, abs=1e-5)


def test_joint_loss_is_nearly_zero_for_a_sure_right_answer() -> None:
    assert joint_loss(one_hot(row(0, 1), 2) * 60 - 30, row(0, 1)).item() == pytest.approx(0, abs=1e-4)


def test_ba_net_loss_is_the_weighted_sum_over_scales_with_the_boundary_of_each_scale() -> None:
    labels = random_batch()["labels"]
    fine, coarse = (2, 3, 4, 6, 8), (2, 3, 2, 3, 4)
    output = BANetOutput([noise(*fine), noise(*coarse)], [noise(*fine, seed=1), noise(*coarse, seed=1)])
    expected = torch.zeros(())
    for weight, scale, target in ((2 / 3, 0, labels), (1 / 3, 1, labels[:, ::2, ::2, ::2])):
        expected += weight * joint_loss(output.segmentation[scale], target)
        expected += weight * joint_loss(output.boundary[scale], boundary_labels(target))
    assert ba_net_loss(output, {"labels": labels}).item() == pytest.approx(expected.item())


def test_weighted_ba_net_loss_changes_the_segmentation_alone_to_nnunets_with_class_weights() -> None:
    labels, weights = random_batch()["labels"], WEIGHTED.keywords["class_weights"]
    logits, boundary = noise(2, 3, 4, 6, 8), noise(2, 3, 4, 6, 8, seed=1)
    even = dice_cross_entropy(logits, labels) - F.cross_entropy(logits, labels)
    voxels = F.cross_entropy(logits, labels, weight=weights, reduction="sum") / labels.numel()
    expected = even + voxels + joint_loss(boundary, boundary_labels(labels))
    loss = WEIGHTED(BANetOutput([logits], [boundary]), {"labels": labels})
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_small_structure_that_is_not_seen_yet_pulls_harder_than_in_the_papers_loss() -> None:
    """One voxel in 512 of a class that the network gives probability 0.007."""
    labels = torch.zeros(1, 8, 8, 8, dtype=torch.int64)
    labels[0, 4, 4, 4] = 2
    start = torch.tensor([5.0, 0.0, 0.0]).view(1, 3, 1, 1, 1).expand(1, 3, 8, 8, 8)
    pulls = []
    for loss in (ba_net_loss, WEIGHTED):
        logits = start.clone().requires_grad_()
        loss(BANetOutput([logits], [start]), {"labels": labels}).backward()
        pulls.append(-logits.grad[0, 2, 4, 4, 4].item())
    assert pulls[1] > 3 * pulls[0] > 0


# nnU-Net's.


def test_plain_loss_by_hand() -> None:
    """One foreground voxel with p = 0.5 of two classes: Dice (2 * 0.5 + 1) / (0.5 + 1 + 1), cross-entropy ln 2.

    With a second scale, of p = 0.8: Dice (2 * 0.8 + 1) / (0.8 + 1 + 1), -ln 0.8; weights 2/3 and 1/3.
    """
    fine, coarse, batch = maps([0.0], [0.0]), maps([0.2], [0.8]).log(), {"labels": row(1)}
    first, second = 1 - 2 / 2.5 + LN2, 1 - 2.6 / 2.8 - math.log(0.8)
    assert plain_loss([fine], batch).item() == pytest.approx(first)
    assert plain_loss(fine, batch).item() == pytest.approx(first)
    assert plain_loss([fine, coarse], batch).item() == pytest.approx(2 / 3 * first + 1 / 3 * second)


def test_plain_loss_has_the_labels_of_each_scale() -> None:
    labels = random_batch()["labels"]
    scales = [noise(2, 3, 4, 6, 8), noise(2, 3, 2, 3, 4)]
    coarse = dice_cross_entropy(scales[1], labels[:, ::2, ::2, ::2])
    expected = 2 / 3 * dice_cross_entropy(scales[0], labels) + 1 / 3 * coarse
    assert plain_loss(scales, {"labels": labels}).item() == pytest.approx(expected.item())


def test_the_second_look_s_loss_weighs_the_voxels_of_each_class() -> None:
    labels, logits, weights = random_batch()["labels"], noise(2, 3, 4, 6, 8), torch.tensor([1.0, 3.0, 5.0])
    weighted = F.cross_entropy(logits, labels, weight=weights, reduction="sum") / labels.numel()
    expected = plain_loss(logits, {"labels": labels}) - F.cross_entropy(logits, labels) + weighted
    loss = weighted_plain_loss(logits, {"labels": labels}, weights, torch.ones(len(weights)))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_plain_loss_equals_monai_and_torch() -> None:
    monai = pytest.importorskip("monai.losses")
    logits, labels = noise(2, 3, 4, 6, 8), random_batch()["labels"]
    dice = monai.DiceLoss(include_background=False, softmax=True, to_onehot_y=True, smooth_nr=1, smooth_dr=1)
    expected = dice(logits, labels[:, None]) + F.cross_entropy(logits, labels)
    assert plain_loss([logits], {"labels": labels}).item() == pytest.approx(expected.item(), rel=1e-5)


# Boundary stream.


def test_edges_are_weighted_by_the_share_of_non_edge_voxels() -> None:
    """Four voxels, the first an edge: beta = 3/4. p(edge) = 0.8, 0.5, 0.5, 0.2: mean over voxels of
    -3/4 ln 0.8 - 1/4 (ln 0.5 + ln 0.5 + ln 0.8). A map without edges has beta = 1 and no loss."""
    logits = maps([0.8, 0.5, 0.5, 0.2], [0.9, 0.9, 0.9, 0.9]).logit()
    edges = maps([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0])
    expected = (-0.75 * math.log(0.8) - 0.25 * (math.log(0.8) - 2 * LN2)) / 4
    assert weighted_edge_cross_entropy(logits, edges)[0].tolist() == pytest.approx([expected, 0])


def test_boundary_stream_loss_by_hand() -> None:
    """Labels 0 1 2 2 1, every probability 1/2, so that sum(p^2) = 5/4 and sum(py) is half of the target's size.

    Whole: 4 voxels, Dice 4 / (5/4 + 4); tumor: 2, Dice 2 / (5/4 + 2).
    Edges of the whole: voxel 1 (the row's end is none), Dice 1 / (5/4 + 1), beta 4/5, cross-entropy
    ln 2 (4/5 * 1 + 1/5 * 4) / 5; of the tumor: voxels 2 and 3, Dice 2 / (5/4 + 2), beta 3/5,
    ln 2 (3/5 * 2 + 2/5 * 3) / 5.
    """
    half = torch.zeros(1, 2, 1, 1, 5)
    whole = (1 - 4 / 5.25) + (1 - 1 / 2.25) + LN2 * (0.8 + 0.2 * 4) / 5
    tumor = (1 - 2 / 3.25) + (1 - 2 / 3.25) + LN2 * (0.6 * 2 + 0.4 * 3) / 5
    loss = boundary_stream_loss(BoundaryStreamOutput(half, half), {"labels": row(0, 1, 2, 2, 1)})
    assert loss.item() == pytest.approx((whole + tumor) / 2, rel=1e-5)


def test_boundary_stream_dice_equals_monai() -> None:
    monai = pytest.importorskip("monai.losses")
    labels = random_batch()["labels"]
    segmentation, boundary = noise(2, 2, 4, 6, 8), noise(2, 2, 4, 6, 8, seed=1)
    dice = monai.DiceLoss(sigmoid=True, squared_pred=True, smooth_nr=0, smooth_dr=1e-6)
    edges = boundary_labels(nested_targets(labels))
    expected = dice(segmentation, nested_targets(labels)) + dice(boundary, edges)
    expected += weighted_edge_cross_entropy(boundary, edges).mean()
    loss = boundary_stream_loss(BoundaryStreamOutput(segmentation, boundary), {"labels": labels})
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


# SC-UNet.


def test_balanced_cross_entropy_leaves_out_easy_voxels_and_weights_classes_alike() -> None:
    """Five voxels, truth 0 0 0 1 1, p(truth) = 0.95, 0.8, 0.5, 0.92, 0.6; T = 0.1.

    The first and the fourth are right by more than 1 - T and drop out of the sums, not of the counts:
    1/2 (-(ln 0.8 + ln 0.5) / 3 - ln 0.6 / 2).
    """
    foreground = [0.05, 0.2, 0.5, 0.92, 0.6]
    logits = maps([1 - p for p in foreground], foreground).log()
    expected = (-(math.log(0.8) - LN2) / 3 - math.log(0.6) / 2) / 2
    assert balanced_cross_entropy(logits, row(0, 0, 0, 1, 1), 0.1).item() == pytest.approx(expected, rel=1e-5)


def test_balanced_cross_entropy_of_a_class_that_is_not_there_is_zero_in_the_mean_over_channels() -> None:
    """Two background voxels at p = 1/3, three channels: 1/3 (ln 3 + 0 + 0)."""
    loss = balanced_cross_entropy(torch.zeros(1, 3, 1, 1, 2), row(0, 0))
    assert loss.item() == pytest.approx(math.log(3) / 3)


def test_balanced_cross_entropy_without_threshold_is_torchs_with_inverse_sizes_as_weights() -> None:
    logits, labels = noise(1, 3, 4, 6, 8), random_batch(1)["labels"]
    weights = 1 / torch.bincount(labels.flatten()).float()
    expected = F.cross_entropy(logits, labels, weight=weights)
    assert balanced_cross_entropy(logits, labels, 0).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "single"), [(sc_unet_loss, balanced_cross_entropy), (sc_unet_cross_entropy_loss, F.cross_entropy)]
)
def test_the_three_branches_of_sc_unet_count_alike(loss: Callable, single: Callable) -> None:
    batch = random_batch()
    output = SCUNetOutput(noise(2, 3, 4, 6, 8), noise(2, 2, 4, 6, 8), noise(2, 2, 4, 6, 8, seed=1))
    branches = zip(output, (batch["labels"], batch["kidney_edge"], batch["tumor_edge"]), strict=True)
    expected = sum(single(logits, target).item() for logits, target in branches) / 3
    assert loss(output, batch).item() == pytest.approx(expected)


# Kid-Net.


def test_kid_net_follows_algorithm_1_over_two_patches() -> None:
    """n = 2, alpha = 1/2, V = (1/2, 1/2) at first; every p = 1/2, so every cross-entropy is ln 2.

    Patch 0 0 0 1: V(P) = (3/4, 1/4), V = (5/8, 3/8), CW = 1/(2V) = (4/5, 4/3), PW = 1 - ln(1/4); voxels weigh
    PW (3 * 4/5 + 4/3) / 4 on average. Patch 0 0 0 0: V = (13/16, 3/16), CW_0 = 8/13, PW = 1: 8/13.
    """
    loss = KidNetLoss(2, alpha=0.5)
    half = torch.zeros(1, 2, 1, 1, 4)
    first, second = (1 + math.log(4)) * (3 * 4 / 5 + 4 / 3) / 4 * LN2, 8 / 13 * LN2
    batch = {"labels": torch.cat([row(0, 0, 0, 1), row(0, 0, 0, 0)])}
    assert loss(half.expand(2, -1, -1, -1, -1), batch).item() == pytest.approx((first + second) / 2)
    assert loss.shares.tolist() == pytest.approx([13 / 16, 3 / 16])


def test_kid_net_starts_from_the_papers_settings() -> None:
    """n = 4, alpha = 0.001: after a patch of background alone V = 0.999/4 + 0.001 and 0.999/4."""
    loss = KidNetLoss()
    assert loss.shares.tolist() == [0.25] * 4
    loss(torch.zeros(1, 4, 1, 1, 2), {"labels": row(0, 0)})
    assert loss.shares.tolist() == pytest.approx([0.25075, 0.24975, 0.24975, 0.24975], rel=1e-6)


def test_kid_net_drops_voxels_that_are_not_kept_and_measures_the_background_that_is() -> None:
    """Patch 0 0 0 1 of which background voxel 1 and the foreground are kept; alpha = 1 makes V = V(P) = (1/4, 1/4),
    CW = (2, 2), PW = 1 - ln(1/4). Voxel 2, sure and wrong, costs nothing; the kept ones ln 2 each, over 4 voxels."""
    loss = KidNetLoss(2, alpha=1.0)
    logits = maps([0.0, 0.0, -90.0, 0.0], [0.0, 0.0, 90.0, 0.0])
    batch = {"labels": row(0, 0, 0, 1), "keep": row(0, 1, 0, 1).float()}
    assert loss(logits, batch).item() == pytest.approx((1 + math.log(4)) * 2 * 2 * LN2 / 4)


def test_kid_net_state_stands_still_in_evaluation_and_is_part_of_the_state_dict() -> None:
    loss = KidNetLoss(2, alpha=0.5).eval()
    value = loss(torch.zeros(1, 2, 1, 1, 2), {"labels": row(0, 0)})
    assert value.item() == pytest.approx(LN2) and loss.shares.tolist() == [0.5, 0.5]
    assert list(loss.state_dict()) == ["shares"]


def test_kid_net_on_two_processes_is_the_same_as_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, log_p = random_batch(4), noise(4, 3, 4, 6, 8)
    whole = KidNetLoss(3, alpha=0.3)
    expected = whole(log_p, batch).item()
    shares = kid_net.class_shares(batch["labels"], batch["keep"], 3)
    monkeypatch.setattr(kid_net, "gathered", lambda own: shares)
    values = []
    for number, part in enumerate((slice(0, 2), slice(2, 4))):
        monkeypatch.setattr(kid_net, "rank", lambda number=number: number)
        process = KidNetLoss(3, alpha=0.3)
        values.append(process(log_p[part], {k: v[part] for k, v in batch.items()}).item())
        assert torch.equal(process.shares, whole.shares)
    assert sum(values) / 2 == pytest.approx(expected)


# TuNet.


def test_tu_net_loss_by_hand() -> None:
    """Labels 0 1 2; whole p = 1/2 each: 1 - 2 * 1 / (3/2 + 2); tumor p = 0.2, 0.2, 0.8: 1 - 2 * 0.8 / (1.2 + 1)."""
    logits = maps([0.5, 0.5, 0.5], [0.2, 0.2, 0.8]).logit()
    expected = (1 - 2 / 3.5) + (1 - 1.6 / 2.2)
    for output in (logits, [logits]):  # TuNet's, plain U-Net's
        assert tu_net_loss(output, {"labels": row(0, 1, 2)}).item() == pytest.approx(expected, rel=1e-5)


def test_tu_net_loss_equals_monai() -> None:
    monai = pytest.importorskip("monai.losses")
    logits, labels = noise(2, 2, 4, 6, 8), random_batch()["labels"]
    dice = monai.DiceLoss(sigmoid=True, smooth_nr=0, smooth_dr=1e-6)
    expected = 2 * dice(logits, nested_targets(labels))  # monai averages the two maps
    assert tu_net_loss(logits, {"labels": labels}).item() == pytest.approx(expected.item(), rel=1e-5)


# All of them.

FINE, COARSE, TWO = (2, 3, 4, 6, 8), (2, 3, 2, 3, 4), (2, 2, 4, 6, 8)
# Outputs as lists of tensors, so that all can be cut and scaled alike; `make` gives what the loss takes.
CASES = {
    "ba_net": (ba_net_loss, [FINE, COARSE, FINE, COARSE], lambda t: BANetOutput(t[:2], t[2:])),
    "ba_net weighted": (
        WEIGHTED,
        [FINE, COARSE, FINE, COARSE],
        lambda t: BANetOutput(t[:2], t[2:]),
    ),
    "plain": (plain_loss, [FINE, COARSE], list),
    "boundary_stream": (boundary_stream_loss, [TWO, TWO], lambda t: BoundaryStreamOutput(*t)),
    "sc_unet": (sc_unet_loss, [FINE, TWO, TWO], lambda t: SCUNetOutput(*t)),
    "sc_unet cross-entropy": (sc_unet_cross_entropy_loss, [FINE, TWO, TWO], lambda t: SCUNetOutput(*t)),
    "kid_net": (KidNetLoss(3, alpha=0.3), [FINE], lambda t: t[0]),
    "tu_net": (tu_net_loss, [TWO], lambda t: t[0]),
}
all_losses = pytest.mark.parametrize(("loss", "shapes", "make"), CASES.values(), ids=CASES.keys())


@all_losses
def test_loss_of_a_batch_is_the_mean_of_its_samples_losses(loss: Callable, shapes: list, make: Callable) -> None:
    loss, batch = copy.deepcopy(loss), random_batch()
    tensors = [noise(*shape, seed=i) for i, shape in enumerate(shapes)]
    alone = copy.deepcopy(loss)
    values = [
        alone(make([t[i : i + 1] for t in tensors]), {k: v[i : i + 1] for k, v in batch.items()}).item() for i in (0, 1)
    ]
    assert values[0] != pytest.approx(values[1])
    assert loss(make(tensors), batch).item() == pytest.approx(sum(values) / 2, rel=1e-5)


@all_losses
def test_gradient_is_finite_for_sure_predictions_most_of_them_wrong(
    loss: Callable, shapes: list, make: Callable
) -> None:
    loss = copy.deepcopy(loss)
    tensors = [(1000 * noise(*shape, seed=i)).requires_grad_() for i, shape in enumerate(shapes)]
    value = loss(make(tensors), random_batch())
    value.backward()
    assert value.isfinite() and all(t.grad.isfinite().all() for t in tensors)


@all_losses
def test_gradient_is_finite_where_all_is_background(loss: Callable, shapes: list, make: Callable) -> None:
    loss, batch = copy.deepcopy(loss), {k: torch.zeros_like(v) for k, v in random_batch().items()}
    tensors = [noise(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)]
    value = loss(make(tensors), batch)
    value.backward()
    assert value.isfinite() and all(t.grad.isfinite().all() for t in tensors)


@all_losses
def test_loss_of_half_precision_outputs_is_computed_in_float32(loss: Callable, shapes: list, make: Callable) -> None:
    tensors = [noise(*shape, seed=i).bfloat16() for i, shape in enumerate(shapes)]
    half = copy.deepcopy(loss)(make(tensors), random_batch())
    full = copy.deepcopy(loss)(make([t.float() for t in tensors]), random_batch())
    assert half.dtype == torch.float32 and half.item() == pytest.approx(full.item())
