"""Loss of the boundary-stream network (Myronenko and Hatamizadeh 2019, arXiv 1909.06684, section 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from .common import VOXELS, Batch, boundary_labels, nested_targets, soft_dice

if TYPE_CHECKING:
    from ...networks.boundary_stream import BoundaryStreamOutput


def weighted_edge_cross_entropy(logits: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    """Eq. 2, (B, C): binary cross-entropy with edge voxels weighted beta, all others 1 - beta; beta is the share of
    non-edge voxels in the map of the sample.

    `logits` and `edges` (0 or 1) are (B, C, D, H, W). The paper sums over voxels; we take the mean over them, so that
    the term does not grow with the patch. The paper's text swaps the names of its two voxel sets; we weight the few
    edge voxels by beta, as the formula does.
    """
    beta = 1 - edges.mean(VOXELS, keepdim=True)
    at_edges, elsewhere = F.logsigmoid(logits), F.logsigmoid(-logits)
    return -(beta * edges * at_edges + (1 - beta) * (1 - edges) * elsewhere).mean(VOXELS)


def boundary_stream_loss(output: BoundaryStreamOutput, batch: Batch) -> torch.Tensor:
    """Dice loss of the segmentation + Dice loss and weighted cross-entropy of the boundary, averaged over the two maps.

    `output` has sigmoid logits (B, 2, D, H, W) of (kidney or tumor) and (tumor); `batch["labels"]` (B, D, H, W) int64
    of KITS_CLASSES. Dice has squared denominators (eq. 1). Paper silent on how edges are found: we take the surface
    voxels of (kidney or tumor) and of (tumor), as `boundary_labels` does. The terms have equal weight.
    """
    segmentation, boundary = output.segmentation.float(), output.boundary.float()
    regions = nested_targets(batch["labels"])
    edges = boundary_labels(regions)
    dice = soft_dice(segmentation.sigmoid(), regions, squared=True)
    edge_dice = soft_dice(boundary.sigmoid(), edges, squared=True)
    return ((1 - dice) + (1 - edge_dice) + weighted_edge_cross_entropy(boundary, edges)).mean()
