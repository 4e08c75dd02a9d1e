"""TuNet's loss (KiTS19, section 3.2)."""

from __future__ import annotations

import torch

from .common import Batch, nested_targets, soft_dice


def tu_net_loss(output: torch.Tensor | list[torch.Tensor], batch: Batch) -> torch.Tensor:
    """Eq. 1: soft Dice loss of (kidney or tumor) + soft Dice loss of (tumor).

    `output`: logits (B, 2, D, H, W) of W-Net and T-Net, or of the two maps of the plain U-Net that TuNet is compared
    with (a list of scales, of which the finest counts); for sigmoid (the paper names both softmax and sigmoid; with one
    channel it can only be the latter); `batch["labels"]` (B, D, H, W) int64 of KITS_CLASSES. Eq. 2 is -Dice, from
    -1 to 0; we take 1 - Dice, which has the same gradient and falls to 0. As in eq. 2, a structure that the sample
    lacks has Dice 0 and no gradient.
    """
    logits = output if isinstance(output, torch.Tensor) else output[0]
    dice = soft_dice(logits.float().sigmoid(), nested_targets(batch["labels"]))
    return (1 - dice).sum(1).mean()
