"""nnU-Net's loss (Isensee et al. 2021, DOI 10.1038/s41592-020-01008-z), for the plain and the residual U-Net."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from .common import (
    Batch,
    coarser_keep,
    deep_supervision_weights,
    downsampled,
    kept,
    mean_over,
    one_hot,
    soft_dice,
)


def dice_cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    keep: torch.Tensor | None = None,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Soft Dice loss over the foreground classes + cross-entropy.

    `logits` (B, C, D, H, W), `labels` (B, D, H, W) int64. Dice is smoothed by 1, so that a class which the
    sample lacks has Dice 1 if none of it is predicted. `keep` (B, 1, D, H, W) is 0 where a voxel does not count.
    `class_weights` (C,) multiply the cross-entropy of each class's voxels; nnU-Net has none.
    """
    logits = logits.float()
    weight = 1 if keep is None else keep
    dice = soft_dice(logits.softmax(1) * weight, one_hot(labels, logits.shape[1]) * weight, smooth=1, epsilon=0)
    cross_entropy = F.cross_entropy(logits, labels, weight=class_weights, reduction="none")[:, None]
    return 1 - dice[:, 1:].mean() + mean_over(cross_entropy, keep).mean()


# Of logits, labels and `keep` at one scale.
ScaleLoss = Callable[[torch.Tensor, torch.Tensor, "torch.Tensor | None"], torch.Tensor]


def plain_loss(
    output: list[torch.Tensor] | torch.Tensor, batch: Batch, scale_loss: ScaleLoss = dice_cross_entropy
) -> torch.Tensor:
    """Weighted sum over scales of `scale_loss`, each scale with its own labels.

    `output`: logits (B, C, d, h, w), or a list of them, finest scale first; `batch["labels"]` (B, D, H, W) int64;
    voxels where `batch["keep"]`, if there is one, is 0 do not count.
    """
    scales = [output] if isinstance(output, torch.Tensor) else output
    losses = [_at_scale(s, batch, scale_loss) for s in scales]
    weights = deep_supervision_weights(len(losses))
    return sum((w * loss for w, loss in zip(weights, losses, strict=True)), torch.zeros((), device=losses[0].device))


def _at_scale(logits: torch.Tensor, batch: Batch, scale_loss: ScaleLoss) -> torch.Tensor:
    shape = logits.shape[2:]
    return scale_loss(logits, downsampled(batch["labels"], shape), coarser_keep(kept(batch), shape))
