"""What several losses share: targets made from labels, soft Dice, weights of the decoder scales."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ...networks.configs import KITS_CLASSES

Batch = dict[str, torch.Tensor]
# The papers' "small constant" against division by zero.
EPSILON = 1e-6
VOXELS = (-3, -2, -1)


def one_hot(labels: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Labels (B, D, H, W) int64 -> float32 (B, classes, D, H, W)."""
    return F.one_hot(labels, num_classes).movedim(-1, 1).float()


def nested_targets(labels: torch.Tensor) -> torch.Tensor:
    """Labels (B, D, H, W) of KITS_CLASSES -> float32 (B, 2, D, H, W): kidney or tumor, and tumor alone."""
    return torch.stack([labels > 0, labels == KITS_CLASSES.index("tumor")], 1).float()


def soft_dice(
    p: torch.Tensor, y: torch.Tensor, *, squared: bool = False, smooth: float = 0.0, epsilon: float = EPSILON
) -> torch.Tensor:
    """Soft Dice (B, C) of every sample and map: (2 sum(py) + smooth) / (sum(p) + sum(y) + smooth + epsilon).

    `p` and `y` (B, C, D, H, W) are probabilities and targets; `squared` sums their squares in the denominator.
    """
    sizes = p.square() + y.square() if squared else p + y
    return (2 * (p * y).sum(VOXELS) + smooth) / (sizes.sum(VOXELS) + smooth + epsilon)


def kept(batch: Batch) -> torch.Tensor | None:
    """`batch["keep"]` (B, D, H, W) with a channel axis: 1 where a voxel counts, 0 where nobody knows its label. None
    where all count."""
    return batch["keep"][:, None] if "keep" in batch and not batch["keep"].all() else None


def mean_over(values: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
    """Mean (B, C) over the voxels of (B, C, D, H, W) that `keep` (B, 1, D, H, W) says count; 0 where none does."""
    if keep is None:
        return values.mean(VOXELS)
    return (values * keep).sum(VOXELS) / keep.sum(VOXELS).clamp_min(1)


def coarser_keep(keep: torch.Tensor | None, shape: torch.Size) -> torch.Tensor | None:
    """`keep` at a coarser decoder scale (nearest neighbour, as the labels are)."""
    return None if keep is None else F.interpolate(keep, size=shape, mode="nearest")


def away_from_unknown(keep: torch.Tensor | None) -> torch.Tensor | None:
    """`keep` without the voxels beside unknown ones, whose surfaces are nobody's."""
    return None if keep is None else -F.max_pool3d(-keep, 3, stride=1, padding=1)


def boundary_labels(labels: torch.Tensor) -> torch.Tensor:
    """Labels (..., D, H, W) with only the surface voxels of every structure left: foreground voxels of which at least
    one of the six neighbours has another label. Beyond the border counts as the same label."""
    surface = torch.zeros_like(labels, dtype=torch.bool)
    for axis in VOXELS:
        steps = labels.shape[axis] - 1
        changes = labels.narrow(axis, 1, steps) != labels.narrow(axis, 0, steps)
        surface.narrow(axis, 1, steps).logical_or_(changes)
        surface.narrow(axis, 0, steps).logical_or_(changes)
    return labels * surface


def downsampled(labels: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Labels (B, D, H, W) at the (d, h, w) of a coarser decoder scale (nearest neighbour)."""
    return F.interpolate(labels[:, None].float(), size=shape, mode="nearest")[:, 0].long()


def deep_supervision_weights(count: int) -> list[float]:
    """Weights of `count` scales, finest first: halved a scale, normalised to sum 1 (nnU-Net)."""
    raw = [0.5**i for i in range(count)]
    return [w / sum(raw) for w in raw]
