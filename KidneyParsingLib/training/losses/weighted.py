"""nnU-Net's loss for structures that are small or thin: class weights, and labels that say how much of a voxel a class
fills."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F

from .common import Batch
from .plain import ScaleLoss, dice_cross_entropy, plain_loss
from .soft_labels import raised, soft_label_loss


def weighted_plain_loss(
    output: list[torch.Tensor] | torch.Tensor,
    batch: Batch,
    class_weights: torch.Tensor,
    share_factors: torch.Tensor,
    lesions: torch.Tensor | None = None,
) -> torch.Tensor:
    """`plain_loss` with `weighted_scale_loss` in place of nnU-Net's at every scale."""
    return plain_loss(output, batch, weighted_scale_loss(batch, class_weights, share_factors, lesions))


def weighted_scale_loss(
    batch: Batch, class_weights: torch.Tensor, share_factors: torch.Tensor, lesions: torch.Tensor | None = None
) -> ScaleLoss:
    """Loss of one scale's logits, labels and `keep`: Dice and cross-entropy with `class_weights` (C,).

    With `batch["shares"]` (B, C, D, H, W) the network learns how much of a voxel each class fills, raised by
    `share_factors` (C,), at a coarse scale their means, and where `batch["no_lesion"]` (B, D, H, W) is 1, which only
    matters then, that none of `lesions` (C,; bool) is there.
    """
    device = batch["labels"].device
    weights, factors = class_weights.to(device), share_factors.to(device)
    if "shares" not in batch:
        return partial(dice_cross_entropy, class_weights=weights)
    as_they_are = bool((share_factors == 1).all())

    def loss_of_shares(logits: torch.Tensor, labels: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
        shares = batch["shares"]
        if shares.shape[2:] != logits.shape[2:]:
            shares = F.adaptive_avg_pool3d(shares, logits.shape[2:])
        wanted = shares if as_they_are else raised(shares, factors)
        return soft_label_loss(logits, wanted, keep, weights, _absent(batch, lesions, logits))

    return loss_of_shares


def _absent(batch: Batch, lesions: torch.Tensor | None, logits: torch.Tensor) -> torch.Tensor | None:
    """Which classes are known not to be where (B, C, d, h, w; bool), at the scale of the logits; at a coarse one only
    where that is known of a whole block. None if nothing is known."""
    if lesions is None or "no_lesion" not in batch or not batch["no_lesion"].any():
        return None
    free = -F.adaptive_max_pool3d(-batch["no_lesion"][:, None], logits.shape[2:]) > 0
    return free & lesions.to(logits.device).view(1, -1, 1, 1, 1)
