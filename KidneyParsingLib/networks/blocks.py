"""Building blocks that the networks share; all take and give (B, C, D, H, W)."""

from __future__ import annotations

import torch
from torch import nn


def conv_norm(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """3x3x3 convolution, instance normalisation, leaky ReLU (nnU-Net's block, 10.1038/s41592-020-01008-z)."""
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, 3, stride, padding=1),
        nn.InstanceNorm3d(out_channels, affine=True),
        nn.LeakyReLU(0.01, inplace=True),
    )


def double_conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Two `conv_norm`s; the first one has the stride."""
    return nn.Sequential(conv_norm(in_channels, out_channels, stride), conv_norm(out_channels, out_channels))


class Encoder(nn.Module):
    """nnU-Net's plain encoder: one `double_conv` a level, from the second level on with stride 2."""

    def __init__(self, in_channels: int, features: tuple[int, ...]) -> None:
        super().__init__()
        widths = (in_channels, *features)
        self.levels = nn.ModuleList(
            double_conv(widths[i], widths[i + 1], stride=1 if i == 0 else 2) for i in range(len(features))
        )

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps from full resolution to the coarsest."""
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps


class Up(nn.Module):
    """Transposed convolution with stride 2: the upsample operation U(.) of the papers."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose3d(in_channels, out_channels, kernel_size=2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, in, D, H, W) -> (B, out, 2D, 2H, 2W)."""
        return self.up(x)
