"""Kid-Net: renal artery, vein and collecting system (Taha et al. 2018, arXiv 1806.06769).

A U-Net in which every down-sampled feature is also upsampled on its own to full resolution and gives a segmentation
there; these and the U-Net's own are averaged (section 2). Down-sampled features are the encoder's at every scale below
the full one, its coarsest included. Each such link is one step of 2^n: a 1x1x1 convolution to class maps and trilinear
upsampling by 2^n (paper silent on the operation). The two are linear and commute, so we convolve first: full-resolution
maps then have few channels, where a transposed convolution of kernel 2^n would carry the features' width and 8^n
weights. Paper silent on normalisation and pooling; we use our common blocks and 3D U-Net's max pooling.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import PoolingEncoder, UNet, upsampled


class KidNet(UNet):
    """For (B, 1, D, H, W) input whose sizes are multiples of `2 ** (len(features) - 1)`; `heads` are finest first,
    the first one is the U-Net's own."""

    def __init__(self, num_classes: int, features: tuple[int, ...], in_channels: int = 1) -> None:
        super().__init__(PoolingEncoder(in_channels, features), features)
        self.heads = nn.ModuleList(nn.Conv3d(width, num_classes, 1) for width in features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (B, classes, D, H, W), float32: log of the mean over scales of the softmax maps."""
        encoded = self.encoder(x)
        maps = [self.climb(encoded)[0], *encoded[1:]]
        scales = [_full_size(head(m), 2**n) for n, (head, m) in enumerate(zip(self.heads, maps, strict=True))]
        log_maps = torch.stack([logits.float().log_softmax(1) for logits in scales])
        # Not logsumexp: OpenVINO 2026.4 sums it over all axes.
        largest = log_maps.amax(0)
        return largest + (log_maps - largest).exp().mean(0).log()

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """The same log-probabilities; their softmax is the mean map."""
        return self.forward(x)


def _full_size(logits: torch.Tensor, factor: int) -> torch.Tensor:
    return logits if factor == 1 else upsampled(logits, factor)
