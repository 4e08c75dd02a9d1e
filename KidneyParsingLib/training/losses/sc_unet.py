"""Losses of SC-UNet (BiSC-UNet, KiTS19, section 2.3): balanced cross-entropy, and the plain one it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from .common import VOXELS, Batch, one_hot

if TYPE_CHECKING:
    from ...networks.sc_unet import SCUNetOutput

# The paper is silent on the value. A misclassified voxel has p < 0.5 for its class and must always count, so T is at
# most 0.5; well below it, a voxel keeps being pushed until its class is safe from flipping.
THRESHOLD = 0.1


def balanced_cross_entropy(logits: torch.Tensor, labels: torch.Tensor, threshold: float = THRESHOLD) -> torch.Tensor:
    """Eq. 1 (whose minus sign is missing in print): -1/C sum_c 1/N_c sum_n [|y - p| > T] y log p.

    `logits` (B, C, D, H, W), `labels` (B, D, H, W) int64. Background is a channel like the others, without which a
    false positive would cost nothing. As y is a factor, a voxel counts in its own class's channel only, and only while
    p < 1 - T there; N_c counts all voxels of the class, chosen or not. Every class has the same say whatever its size.
    Paper silent on a class that the sample lacks; we let its channel be 0 and C stay.
    """
    log_p = logits.float().log_softmax(1)
    y = one_hot(labels, logits.shape[1])
    hard = (y - log_p.detach().exp()).abs() > threshold
    sums = -(hard * y * log_p).sum(VOXELS)
    return (sums / y.sum(VOXELS).clamp(min=1)).mean()


def sc_unet_loss(output: SCUNetOutput, batch: Batch) -> torch.Tensor:
    """Balanced cross-entropy of the three branches; the edges count as much as the labels (section 4).

    `batch` has "labels", "kidney_edge" and "tumor_edge", (B, D, H, W) int64. Paper silent on how the branches' losses
    are joined; we take their mean.
    """
    return torch.stack([balanced_cross_entropy(*pair) for pair in _branches(output, batch)]).mean()


def sc_unet_cross_entropy_loss(output: SCUNetOutput, batch: Batch) -> torch.Tensor:
    """Cross-entropy of the three branches, their mean: the paper's comparison, BiSC-UNet(CE)."""
    return torch.stack([F.cross_entropy(logits.float(), y) for logits, y in _branches(output, batch)]).mean()


def _branches(output: SCUNetOutput, batch: Batch) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [
        (output.labels, batch["labels"]),
        (output.kidney_edge, batch["kidney_edge"]),
        (output.tumor_edge, batch["tumor_edge"]),
    ]
