"""BA-Net's loss (Hu et al. 2022, arXiv 2208.13338, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from .common import (
    EPSILON,
    Batch,
    away_from_unknown,
    boundary_labels,
    coarser_keep,
    deep_supervision_weights,
    downsampled,
    kept,
    mean_over,
    one_hot,
    soft_dice,
)
from .weighted import weighted_scale_loss

if TYPE_CHECKING:
    from ...networks.ba_net import BANetOutput


def joint_loss(
    logits: torch.Tensor, labels: torch.Tensor, epsilon: float = EPSILON, keep: torch.Tensor | None = None
) -> torch.Tensor:
    """BA-Net's eq. 2 at one scale: soft Dice loss + cross-entropy in its binary form.

    `logits` (B, C, D, H, W), `labels` (B, D, H, W) int64. The paper's sums run over the voxels of one map; as there are
    several classes we average the Dice term over classes and the cross-entropy over voxels and classes. `keep`
    (B, 1, D, H, W) is 0 where a voxel does not count.
    """
    logits = logits.float()
    p, y = logits.softmax(1), one_hot(labels, logits.shape[1])
    weight = 1 if keep is None else keep
    # Eq. 2 has epsilon within the sum over voxels.
    dice = soft_dice(p * weight, y * weight, epsilon=epsilon * labels[0].numel())
    log_p, log_q = logits.log_softmax(1), torch.log1p(-p.clamp(max=1 - 1e-6))
    cross_entropy = -mean_over(y * log_p + (1 - y) * log_q, keep)
    return (1 - dice + cross_entropy).mean()


def ba_net_loss(output: BANetOutput, batch: Batch) -> torch.Tensor:
    """BA-Net's eq. 3: weighted sum over scales of segmentation and boundary loss, each scale with its own labels.

    `batch["labels"]` (B, D, H, W) int64; voxels where `batch["keep"]`, if there is one, is 0 do not count. The
    boundaries of a coarse scale are those of the labels down-sampled to it.
    """
    return _over_scales(output, batch, joint_loss)


def weighted_ba_net_loss(
    output: BANetOutput,
    batch: Batch,
    class_weights: torch.Tensor,
    share_factors: torch.Tensor,
    lesions: torch.Tensor | None = None,
) -> torch.Tensor:
    """`ba_net_loss`, but for the segmentation nnU-Net's Dice and cross-entropy, this one with `class_weights` (C,).

    Not the paper's: its data are kidneys that all have a tumor. Where most patches lack some structure, eq. 2's Dice
    term has no gradient for it, and its cross-entropy, averaged over classes and voxels, hardly sees a small one.

    With `batch["shares"]` (B, C, D, H, W) the segmentation learns how much of a voxel each class fills, raised by
    `share_factors` (C,), at a coarse scale their means; the boundary, as before, is that of the labels.
    `lesions` and `batch["no_lesion"]` as in `weighted.weighted_scale_loss`.
    """
    return _over_scales(output, batch, weighted_scale_loss(batch, class_weights, share_factors, lesions))


def _over_scales(output: BANetOutput, batch: Batch, segmentation_loss: Callable[..., torch.Tensor]) -> torch.Tensor:
    losses = []
    for segmentation, boundary in zip(output.segmentation, output.boundary, strict=True):
        target = downsampled(batch["labels"], segmentation.shape[2:])
        keep = coarser_keep(kept(batch), segmentation.shape[2:])
        surfaces = joint_loss(boundary, boundary_labels(target), keep=away_from_unknown(keep))
        losses.append(segmentation_loss(segmentation, target, keep=keep) + surfaces)
    weights = deep_supervision_weights(len(losses))
    return sum((w * loss for w, loss in zip(weights, losses, strict=True)), torch.zeros((), device=losses[0].device))
