"""Losses of the published systems; all means over the batch, differentiable, float32 inside."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..networks.ba_net import BANetOutput


def one_hot(labels: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Labels (B, D, H, W) int64 -> float32 (B, classes, D, H, W)."""
    return F.one_hot(labels, num_classes).movedim(-1, 1).float()


def joint_loss(logits: torch.Tensor, labels: torch.Tensor, epsilon: float = 1e-6) -> torch.Tensor:
    """BA-Net's eq. 2 at one scale: soft Dice loss + cross-entropy in its binary form.

    `logits` (B, C, D, H, W), `labels` (B, D, H, W) int64. The paper's sums run over the voxels of one map; as there are
    several classes we average the Dice term over classes and the cross-entropy over voxels and classes.
    """
    logits = logits.float()
    p, y = logits.softmax(1), one_hot(labels, logits.shape[1])
    axes = (0, 2, 3, 4)
    dice = 2 * (p * y).sum(axes) / (p + y + epsilon).sum(axes)
    log_p, log_q = logits.log_softmax(1), torch.log1p(-p.clamp(max=1 - 1e-6))
    cross_entropy = -(y * log_p + (1 - y) * log_q)
    return 1 - dice.mean() + cross_entropy.mean()


def boundary_labels(labels: torch.Tensor) -> torch.Tensor:
    """Labels (B, D, H, W) with only the surface voxels of every structure left: foreground voxels of which at least
    one of the six neighbours has another label. Beyond the border counts as the same label."""
    padded = F.pad(labels[:, None].float(), (1, 1, 1, 1, 1, 1), mode="replicate")[:, 0]
    center = padded[:, 1:-1, 1:-1, 1:-1]
    edge = torch.zeros_like(center, dtype=torch.bool)
    for axis in (1, 2, 3):
        for shift in (-1, 1):
            edge |= padded.roll(shift, axis)[:, 1:-1, 1:-1, 1:-1] != center
    return labels * edge


def downsampled(labels: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Labels (B, D, H, W) at the (d, h, w) of a coarser decoder scale (nearest neighbour)."""
    return F.interpolate(labels[:, None].float(), size=shape, mode="nearest")[:, 0].long()


def deep_supervision_weights(count: int) -> list[float]:
    """Weights of `count` scales, finest first: halved a scale, normalised to sum 1 (nnU-Net)."""
    raw = [0.5**i for i in range(count)]
    return [w / sum(raw) for w in raw]


def ba_net_loss(output: BANetOutput, labels: torch.Tensor) -> torch.Tensor:
    """BA-Net's eq. 3: weighted sum over scales of segmentation and boundary loss, each scale with its own labels."""
    total = torch.zeros((), device=labels.device)
    weights = deep_supervision_weights(len(output.segmentation))
    for weight, segmentation, boundary in zip(weights, output.segmentation, output.boundary, strict=True):
        target = downsampled(labels, segmentation.shape[2:])
        loss = joint_loss(segmentation, target) + joint_loss(boundary, boundary_labels(target))
        total = total + weight * loss
    return total


def plain_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """nnU-Net's loss: soft Dice over the foreground classes + cross-entropy."""
    logits = logits.float()
    p, y = logits.softmax(1), one_hot(labels, logits.shape[1])
    axes = (0, 2, 3, 4)
    dice = (2 * (p * y).sum(axes) + 1) / (p.sum(axes) + y.sum(axes) + 1)
    return 1 - dice[1:].mean() + F.cross_entropy(logits, labels)
