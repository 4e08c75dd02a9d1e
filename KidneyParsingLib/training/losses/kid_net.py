"""Kid-Net's dynamic weighting (Taha et al. 2018, arXiv 1806.06769, algorithm 1) as a loss with state."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..distributed import gathered, rank
from .common import Batch


class KidNetLoss(nn.Module):
    """Cross-entropy weighted voxel by voxel: patch weight x class weight x `batch["keep"]`.

    `shares` (buffer, (num_classes,)) are the moving average volumes V_c of algorithm 1, 1/n at first, moved by every
    patch in training and left alone in evaluation. All processes move it by the patches of all, in the order of ranks,
    so that they keep the same state. "keep" (1 where a voxel counts) is the random background sampling of
    `training.schemas`; where the batch has none, all voxels count.

    Paper silent: (1) on what background's volume is when only a sample of it counts: we measure the voxels that count,
    so that background, like every class, contributes volume x weight = 1/n; the few sampled voxels then have the
    high weight that the paper gives them. (2) On what the weighted sum is divided by: we take the patch's voxels. As
    V_c x weight = 1/n, the weights (before the patch weight) add up to 1 over an average patch; dividing by the
    weights' sum instead would cancel the patch weight.
    """

    shares: torch.Tensor

    def __init__(self, num_classes: int = 4, alpha: float = 0.001) -> None:
        super().__init__()
        self.alpha = alpha
        self.register_buffer("shares", torch.full((num_classes,), 1 / num_classes))

    def forward(self, log_p: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Scalar loss of log-probabilities or logits (B, C, D, H, W); `batch` has "labels" (B, D, H, W) int64 and
        may have "keep" (B, D, H, W) float32."""
        labels = batch["labels"]
        weights = self.voxel_weights(labels, batch.get("keep", torch.ones_like(labels, dtype=torch.float32)))
        return (weights * F.cross_entropy(log_p.float(), labels, reduction="none")).mean()

    @torch.no_grad()
    def voxel_weights(self, labels: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """Algorithm 1 over the patches in order: weights (B, D, H, W). In training mode it moves `shares`."""
        shares = class_shares(labels, keep, len(self.shares))
        weights = patch_weights(shares)[:, None] * self._class_weights(shares)
        return keep * weights.gather(1, labels.flatten(1)).view_as(keep)

    def _class_weights(self, shares: torch.Tensor) -> torch.Tensor:
        """Class weights (B, C) of this process's patches, each after `shares` was moved by the patches up to it."""
        if not self.training:
            return (1 / (len(self.shares) * self.shares)).expand_as(shares)
        weights = []
        for share in gathered(shares):
            self.shares.lerp_(share, self.alpha)
            weights.append(1 / (len(self.shares) * self.shares))
        first = rank() * len(shares)
        return torch.stack(weights[first : first + len(shares)])


def class_shares(labels: torch.Tensor, keep: torch.Tensor, num_classes: int) -> torch.Tensor:
    """V_c(P) (B, C): the voxels that count of every class, as a share of the patch's size."""
    return torch.stack([((labels == c) * keep).mean((1, 2, 3)) for c in range(num_classes)], 1)


def patch_weights(shares: torch.Tensor) -> torch.Tensor:
    """PW (B,) of patches with class shares (B, C): 1 - log(foreground share); 1 for background alone."""
    foreground = shares[:, 1:].sum(1)
    return 1 - foreground.where(foreground > 0, 1.0).log()
