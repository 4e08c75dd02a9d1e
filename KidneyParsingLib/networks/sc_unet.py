"""SC-UNet, the structure-constrained U-Net of BiSC-UNet's two stages (KiTS19): labels and edges from parallel branches.

Which up-sampling groups are parallel: section 2.1 calls the outputs of the first two y_up^1 and y_up^2 and says that
three groups are connected to y_up^2, one for labels, kidney edge and tumor edge each. So with three groups down, all
groups up but the last are shared and the last, at full resolution, is there three times, each with its own skip from
y_down^1. The paper is silent on normalisation: we use our common blocks with instance norm.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .blocks import PoolingEncoder, UNet, Up, double_conv

_EDGE_CLASSES = 2


class SCUNetOutput(NamedTuple):
    """Logits (B, classes, D, H, W) of three softmaxes: labels, edge of the kidney and edge of the tumor (no, yes)."""

    labels: torch.Tensor
    kidney_edge: torch.Tensor
    tumor_edge: torch.Tensor


class Branch(nn.Module):
    """The last up-sampling group: upsample, concatenate the skip, convolve twice; 1x1x1 convolution to logits."""

    def __init__(self, below: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.up = Up(below, width)
        self.block = double_conv(2 * width, width)
        self.head = nn.Conv3d(width, num_classes, 1)

    def forward(self, below: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Logits at the skip's resolution."""
        return self.head(self.block(torch.cat([self.up(below), skip], 1)))


class SCUNet(nn.Module):
    """For (B, 1, D, H, W) input whose sizes are multiples of `2 ** (len(features) - 1)`.

    `num_classes` counts the background; `features` are the widths of the groups down and of the bottom. `first` is
    the first group, `body` everything at lower resolution.
    """

    def __init__(self, num_classes: int, features: tuple[int, ...], in_channels: int = 1) -> None:
        super().__init__()
        width, *below = features
        self.first = double_conv(in_channels, width)
        self.body = UNet(PoolingEncoder(width, tuple(below)), tuple(below))
        self.labels = Branch(below[0], width, num_classes)
        self.kidney_edge = Branch(below[0], width, _EDGE_CLASSES)
        self.tumor_edge = Branch(below[0], width, _EDGE_CLASSES)

    def forward(self, x: torch.Tensor) -> SCUNetOutput:
        """Logits of all three branches."""
        shared, skip = self._shared(x)
        return SCUNetOutput(*(branch(shared, skip) for branch in (self.labels, self.kidney_edge, self.tumor_edge)))

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, classes, D, H, W) of the labels; the edge branches are not run."""
        return self.labels(*self._shared(x))

    def _shared(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """y_up^2 at half resolution and y_down^1 at full."""
        skip = self.first(x)
        return self.body.decode(F.max_pool3d(skip, 2))[0], skip
