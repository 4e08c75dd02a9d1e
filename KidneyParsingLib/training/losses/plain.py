"""nnU-Net's loss (Isensee et al. 2021, DOI 10.1038/s41592-020-01008-z), for the plain and the residual U-Net."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .common import Batch, deep_supervision_weights, downsampled, one_hot, soft_dice


def dice_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Soft Dice loss over the foreground classes + cross-entropy.

    `logits` (B, C, D, H, W), `labels` (B, D, H, W) int64. Dice is smoothed by 1, so that a class which the
    sample lacks has Dice 1 if none of it is predicted.
    """
    logits = logits.float()
    dice = soft_dice(logits.softmax(1), one_hot(labels, logits.shape[1]), smooth=1, epsilon=0)
    return 1 - dice[:, 1:].mean() + F.cross_entropy(logits, labels)


def plain_loss(output: list[torch.Tensor] | torch.Tensor, batch: Batch) -> torch.Tensor:
    """Weighted sum over scales of `dice_cross_entropy`, each scale with its own labels.

    `output`: logits (B, C, d, h, w), or a list of them, finest scale first; `batch["labels"]` (B, D, H, W) int64.
    """
    scales = [output] if isinstance(output, torch.Tensor) else output
    losses = [dice_cross_entropy(s, downsampled(batch["labels"], s.shape[2:])) for s in scales]
    weights = deep_supervision_weights(len(losses))
    return sum((w * loss for w, loss in zip(weights, losses, strict=True)), torch.zeros((), device=losses[0].device))
