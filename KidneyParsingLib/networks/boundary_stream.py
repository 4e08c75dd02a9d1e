"""Boundary-stream network: boundary-aware CNN for kidney and tumor (Myronenko and Hatamizadeh 2019, arXiv 1909.06684).

The main branch is Myronenko's asymmetric encoder-decoder (arXiv 1810.11654) with the residual blocks of He et al.; a
second decoder of attention gates finds the edges. The paper is silent on normalisation: we use instance norm in the
residual blocks and none in the gates, whose operations it lists in full. It is silent on how gates of different
resolutions meet: we upsample trilinearly, like the main branch.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .blocks import ResidualBlock, upsampled
from .convolution import Conv3d

_BOTTOM_BLOCKS = 4


class BoundaryStreamOutput(NamedTuple):
    """Sigmoid logits (B, 2, D, H, W) of (kidney or tumor, tumor): the regions and their edges."""

    segmentation: torch.Tensor
    boundary: torch.Tensor


class NarrowingUp(nn.Module):
    """1x1x1 convolution to fewer channels, then trilinear upsampling by 2 (Myronenko's order, the cheaper one)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.narrow = nn.Conv3d(in_channels, out_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, in, D, H, W) -> (B, out, 2D, 2H, 2W)."""
        return upsampled(self.narrow(x))


class MainEncoder(nn.Module):
    """conv3, then per level a residual block and a strided conv3 that widens; four residual blocks at the bottom."""

    def __init__(self, in_channels: int, features: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = Conv3d(in_channels, features[0])
        self.blocks = nn.ModuleList(ResidualBlock(width, width) for width in features[:-1])
        self.downs = nn.ModuleList(Conv3d(a, b, 2) for a, b in pairwise(features))
        self.bottom = nn.Sequential(*(ResidualBlock(features[-1], features[-1]) for _ in range(_BOTTOM_BLOCKS)))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps from full resolution to the bottom."""
        x, maps = self.stem(x), []
        for block, down in zip(self.blocks, self.downs, strict=True):
            maps.append(block(x))
            x = down(maps[-1])
        return [*maps, self.bottom(x)]


class AttentionGate(nn.Module):
    """conv3 of the encoder's features + conv3 of the stream's, ReLU, 1x1x1 convolution, sigmoid: the attention map,
    by which the stream's features are multiplied (section 3.2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_encoder = Conv3d(width, width)
        self.of_stream = Conv3d(width, width)
        self.to_map = nn.Conv3d(width, 1, 1)

    def attention(self, encoder: torch.Tensor, stream: torch.Tensor) -> torch.Tensor:
        """Attention map (B, 1, D, H, W) in (0, 1)."""
        return self.to_map(F.relu(self.of_encoder(encoder) + self.of_stream(stream))).sigmoid()

    def forward(self, encoder: torch.Tensor, stream: torch.Tensor) -> torch.Tensor:
        """The stream's features (B, width, D, H, W), attended."""
        return stream * self.attention(encoder, stream)


class BoundaryStream(nn.Module):
    """A gate at every resolution above the bottom, fed by the encoder's features and the gate before.

    Before the first gate: the encoder's output, upsampled, is concatenated with the features of the resolution before
    it and goes through a residual block.
    """

    def __init__(self, features: tuple[int, ...]) -> None:
        super().__init__()
        widths = features[-2::-1]
        self.start = ResidualBlock(features[-1] + widths[0], widths[0])
        self.gates = nn.ModuleList(AttentionGate(width) for width in widths)
        self.ups = nn.ModuleList(NarrowingUp(below, width) for below, width in pairwise(widths))

    def forward(self, skips: list[torch.Tensor], bottom: torch.Tensor) -> torch.Tensor:
        """Edge features (B, features[0], D, H, W) from the encoder's maps, fine to coarse, and its bottom."""
        stream = self.start(torch.cat([upsampled(bottom), skips[-1]], 1))
        stream = self.gates[0](skips[-1], stream)
        for up, gate, skip in zip(self.ups, self.gates[1:], skips[-2::-1], strict=True):
            stream = gate(skip, up(stream))
        return stream


class MainDecoder(nn.Module):
    """Per level: upsample, ADD the encoder's features, one residual block."""

    def __init__(self, features: tuple[int, ...]) -> None:
        super().__init__()
        self.ups = nn.ModuleList(NarrowingUp(below, width) for below, width in pairwise(features[::-1]))
        self.blocks = nn.ModuleList(ResidualBlock(width, width) for width in features[-2::-1])

    def forward(self, skips: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        """Features (B, features[0], D, H, W) from the encoder's maps, fine to coarse, and its bottom `x`."""
        for up, block, skip in zip(self.ups, self.blocks, reversed(skips), strict=True):
            x = block(up(x) + skip)
        return x


class BoundaryStreamNet(nn.Module):
    """For (B, 1, D, H, W) input whose sizes are multiples of `2 ** (len(features) - 1)`; `num_classes` sigmoid maps."""

    def __init__(self, num_classes: int, features: tuple[int, ...], in_channels: int = 1) -> None:
        super().__init__()
        self.encoder = MainEncoder(in_channels, features)
        self.decoder = MainDecoder(features)
        self.stream = BoundaryStream(features)
        self.boundary_head = nn.Conv3d(features[0], num_classes, 1)
        self.head = nn.Conv3d(2 * features[0], num_classes, 1)

    def forward(self, x: torch.Tensor) -> BoundaryStreamOutput:
        """Logits of regions and edges. The "output of the boundary" that the regions' 1x1x1 convolution also sees is
        taken to be the stream's features; the edges have a 1x1x1 convolution of their own."""
        *skips, bottom = self.encoder(x)
        edges = self.stream(skips, bottom)
        regions = torch.cat([self.decoder(skips, bottom), edges], 1)
        return BoundaryStreamOutput(self.head(regions), self.boundary_head(edges))

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Sigmoid logits (B, 2, D, H, W) of (kidney or tumor, tumor)."""
        return self.forward(x).segmentation
