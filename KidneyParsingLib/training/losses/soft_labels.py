"""Dice and cross-entropy for labels that say how much of a voxel each class fills.

A ureter of 3 mm on a grid of 2 mm fills few voxels by half: with one class a voxel a third of it is lost, with shares
hardly anything (docs/experiments.md, 16).
"""

from __future__ import annotations

import torch

from .common import VOXELS, mean_over


def raised(shares: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Shares (B, C, D, H, W) that sum to 1 again after each class's are multiplied by its factor (C,).

    Interpolated to a finer grid the largest share wins, which takes from thin tubes: none of a ureter is left where it
    fills no voxel by half. Raised shares make up for that.
    """
    more = shares * factors.view(-1, 1, 1, 1)
    return more / more.sum(1, keepdim=True)


def without(absent: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """What a network finds (probabilities (B, C, D, H, W), no gradient) where it is told that the classes `absent` (B,
    C, D, H, W; bool; never all) are not there. As the target of cross-entropy it says nothing on which of the others is
    there: the gradient is that of the logarithm of what they have together."""
    return logits.detach().float().masked_fill(absent, float("-inf")).softmax(1)


def soft_label_dice(p: torch.Tensor, shares: torch.Tensor, smooth: float = 1.0) -> torch.Tensor:
    """Dice (B, C) of probabilities and shares (B, C, D, H, W): 1 where they are equal, and soft Dice where shares are 0
    or 1. Soft Dice itself is largest for probabilities of 0 and 1, whatever the shares (Wang et al. 2023,
    arXiv 2303.16296, whose Dice semimetric this is)."""
    sizes = p.sum(VOXELS) + shares.sum(VOXELS)
    return (sizes - (p - shares).abs().sum(VOXELS) + smooth) / (sizes + smooth)


def soft_label_loss(
    logits: torch.Tensor,
    shares: torch.Tensor,
    keep: torch.Tensor | None,
    class_weights: torch.Tensor,
    absent: torch.Tensor | None = None,
) -> torch.Tensor:
    """Loss of Dice over the foreground classes + cross-entropy, both least for probabilities equal to the shares;
    `plain.dice_cross_entropy` where shares are 0 or 1.

    `logits` and `shares` are (B, C, D, H, W); `keep` (B, 1, D, H, W) is 0 where a voxel does not count. A voxel's
    cross-entropy is multiplied by the mean of `class_weights` (C,) over its shares. Where `absent` (B, C, D, H, W;
    bool) names classes that are known not to be there, cross-entropy counts, though Dice does not, and pushes these
    down (`without`).
    """
    logits = logits.float().contiguous()  # channels-last maps of few classes are summed and multiplied slowly
    log_p = logits.log_softmax(1)
    dice = soft_label_dice(*_masked((log_p.exp(), shares), keep))
    if absent is not None:
        told = absent.any(1, keepdim=True)
        shares = torch.where(told, without(absent, logits), shares)
        keep = torch.maximum(keep, told.float()) if keep is not None else None
    importance = (shares * class_weights.view(-1, 1, 1, 1)).sum(1, keepdim=True)
    cross_entropy = -(shares * log_p).sum(1, keepdim=True) * importance
    return 1 - dice[:, 1:].mean() + mean_over(cross_entropy, keep).mean()


def _masked(maps: tuple[torch.Tensor, torch.Tensor], keep: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    return maps if keep is None else (maps[0] * keep, maps[1] * keep)
