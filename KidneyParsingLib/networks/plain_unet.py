"""Plain U-Net with nnU-Net's blocks (Isensee et al. 2021, 10.1038/s41592-020-01008-z); the locator is a narrow one."""

from __future__ import annotations

import torch
from torch import nn

from .blocks import Encoder, Up, double_conv


class PlainUNet(nn.Module):
    """U-Net for (B, 1, D, H, W) input whose sizes are multiples of `2 ** (len(features) - 1)`."""

    def __init__(self, num_classes: int, features: tuple[int, ...], in_channels: int = 1) -> None:
        super().__init__()
        self.encoder = Encoder(in_channels, features)
        steps = list(zip(features[:0:-1], features[-2::-1], strict=True))
        self.ups = nn.ModuleList(Up(below, width) for below, width in steps)
        self.blocks = nn.ModuleList(double_conv(2 * width, width) for _, width in steps)
        self.head = nn.Conv3d(features[0], num_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, classes, D, H, W)."""
        *skips, features = self.encoder(x)
        for up, block, skip in zip(self.ups, self.blocks, reversed(skips), strict=True):
            features = block(torch.cat([up(features), skip], 1))
        return self.head(features)

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """The same logits: every network has this method for inference."""
        return self.forward(x)
