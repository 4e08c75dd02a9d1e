"""BA-Net: boundary-aware network for kidney parsing (Hu et al. 2022, arXiv 2208.13338).

A shared encoder and two decoders. The boundary decoder finds the surfaces of all structures at every scale; its
boundary map enhances the upsampled features of the segmentation decoder at the same scale (eq. 1).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from .blocks import Encoder, Up, double_conv

PAPER_FEATURES = (32, 64, 128, 256, 320)


class BANetOutput(NamedTuple):
    """Logits (B, classes, d, h, w) of both decoders, finest scale first."""

    segmentation: list[torch.Tensor]
    boundary: list[torch.Tensor]


def any_boundary(boundary_logits: torch.Tensor) -> torch.Tensor:
    """Probability (B, 1, D, H, W) that a voxel lies on the surface of any structure: 1 - p(background)."""
    return 1 - boundary_logits.softmax(1)[:, :1]


def enhance(features: torch.Tensor, boundary_probability: torch.Tensor) -> torch.Tensor:
    """Eq. 1: (1 + p_b) * U(f). The paper is silent on how a class map meets many channels; we broadcast
    `any_boundary` over them."""
    return (1 + boundary_probability) * features


class DecoderLevel(nn.Module):
    """One step up: upsample, (enhance,) concatenate the encoder's skip, convolve twice; 1x1x1 convolution to logits."""

    def __init__(self, below: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.up = Up(below, width)
        self.block = double_conv(2 * width, width)
        self.head = nn.Conv3d(width, num_classes, 1)

    def forward(
        self, below: torch.Tensor, skip: torch.Tensor, boundary_probability: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and logits at the skip's resolution."""
        features = self.up(below)
        if boundary_probability is not None:
            features = enhance(features, boundary_probability)
        features = self.block(torch.cat([features, skip], 1))
        return features, self.head(features)


class BANet(nn.Module):
    """BA-Net for (B, 1, D, H, W) input whose sizes are multiples of `2 ** (len(features) - 1)`.

    `num_classes` counts the background; `features` are the encoder's widths from fine to coarse.
    """

    def __init__(self, num_classes: int, features: tuple[int, ...] = PAPER_FEATURES, in_channels: int = 1) -> None:
        super().__init__()
        self.encoder = Encoder(in_channels, features)
        steps = list(zip(features[:0:-1], features[-2::-1], strict=True))
        self.boundary_decoder = nn.ModuleList(DecoderLevel(below, width, num_classes) for below, width in steps)
        self.segmentation_decoder = nn.ModuleList(DecoderLevel(below, width, num_classes) for below, width in steps)

    def forward(self, x: torch.Tensor) -> BANetOutput:
        """Logits of both decoders at all scales (training with deep supervision)."""
        *skips, bottom = self.encoder(x)
        boundary_features = segmentation_features = bottom
        output = BANetOutput([], [])
        for boundary_level, level, skip in zip(
            self.boundary_decoder, self.segmentation_decoder, reversed(skips), strict=True
        ):
            boundary_features, boundary_logits = boundary_level(boundary_features, skip)
            segmentation_features, logits = level(segmentation_features, skip, any_boundary(boundary_logits))
            output.boundary.insert(0, boundary_logits)
            output.segmentation.insert(0, logits)
        return output

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, classes, D, H, W) of the last segmentation scale, the one used at inference."""
        return self.forward(x).segmentation[0]

    def predict_with_boundary(self, x: torch.Tensor) -> torch.Tensor:
        """`predict`'s logits and, as one more map, the probability of any boundary: (B, classes + 1, D, H, W)."""
        output = self.forward(x)
        return torch.cat([output.segmentation[0], any_boundary(output.boundary[0])], 1)
