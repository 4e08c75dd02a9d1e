"""nnU-Net's residual-encoder U-Net, with which BA-Net's paper compares and which its ensemble has as a member.

As in the first nnU-Net (Isensee and Maier-Hein 2019, arXiv 1908.02182, and nnU-Net's ResEnc planner for 3D): a stem
convolution, then 1, 2, 3, 4, 4, ... residual blocks a level, and a plain decoder with one convolution block a level.
The later presets (Isensee et al. 2024, arXiv 2404.09556) have 1, 3, 4, 6, 6, ... blocks and pool in the shortcut;
BA-Net's comparison is older than they are.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from .blocks import ResidualBlock, conv_norm
from .plain_unet import SupervisedUNet

_BLOCKS_PER_LEVEL = (1, 2, 3)
_BLOCKS_BELOW = 4


def blocks_of_level(level: int) -> int:
    """How many residual blocks the encoder has at a level; 0 is full resolution."""
    return _BLOCKS_PER_LEVEL[level] if level < len(_BLOCKS_PER_LEVEL) else _BLOCKS_BELOW


class ResidualEncoder(nn.Module):
    """A stem convolution, then per level `blocks_of_level` residual blocks, the first of which has the stride."""

    def __init__(self, in_channels: int, features: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = conv_norm(in_channels, features[0])
        self.levels = nn.ModuleList(
            _residual_level(a, b, 1 if level == 0 else 2, blocks_of_level(level))
            for level, (a, b) in enumerate(pairwise((features[0], *features)))
        )

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps from full resolution to the coarsest."""
        x = self.stem(x)
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps


def _residual_level(in_channels: int, out_channels: int, stride: int, blocks: int) -> nn.Sequential:
    rest = (ResidualBlock(out_channels, out_channels) for _ in range(blocks - 1))
    return nn.Sequential(ResidualBlock(in_channels, out_channels, stride), *rest)


class ResUNet(SupervisedUNet):
    """U-Net for (B, 1, D, H, W) input whose sizes are multiples of `2 ** (len(features) - 1)`."""

    def __init__(
        self, num_classes: int, features: tuple[int, ...], in_channels: int = 1, deep_supervision: bool = False
    ) -> None:
        encoder = ResidualEncoder(in_channels, features)
        super().__init__(encoder, features, num_classes, deep_supervision, block=conv_norm)
