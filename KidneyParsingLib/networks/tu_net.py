"""TuNet: end-to-end cascade for kidney and tumor (KiTS19): L-Net finds the region, W-Net the whole, T-Net the tumor.

W-Net sees the image, T-Net the image and W-Net's probability map. In every encoder block of both, the image,
down-sampled to the block's resolution, is concatenated with the features (section 2.2). The paper is silent on how it
is down-sampled; we average. Paper silent on normalisation; we use our common blocks with instance norm.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .blocks import PoolingEncoder, SqueezeExcitation, UNet, double_conv


class LNet(UNet):
    """Traditional 3D U-Net (section 2.1) for (B, 1, D, H, W) input, sizes multiples of `2 ** (len(features) - 1)`."""

    def __init__(self, num_classes: int, features: tuple[int, ...], in_channels: int = 1) -> None:
        super().__init__(PoolingEncoder(in_channels, features), features)
        self.head = nn.Conv3d(features[0], num_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, classes, D, H, W)."""
        return self.head(self.decode(x)[0])

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """The same logits."""
        return self.forward(x)


def squeezed_double_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """`double_conv`, then squeeze-and-excitation (section 2.3)."""
    return nn.Sequential(double_conv(in_channels, out_channels), SqueezeExcitation(out_channels))


class ImagePyramidEncoder(nn.Module):
    """Pooling encoder each of whose blocks also sees the image, the input's first channel, at its own resolution.

    The first block's input has the image in it already.
    """

    def __init__(self, in_channels: int, features: tuple[int, ...], squeeze: bool) -> None:
        super().__init__()
        block = squeezed_double_conv if squeeze else double_conv
        inputs = (in_channels, *(width + 1 for width in features[:-1]))
        self.levels = nn.ModuleList(block(a, b) for a, b in zip(inputs, features, strict=True))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps from full resolution to the coarsest."""
        image = x[:, :1]
        maps = [self.levels[0](x)]
        for level in self.levels[1:]:
            image = F.avg_pool3d(image, 2)
            pooled = F.max_pool3d(maps[-1], 2)
            maps.append(level(torch.cat([pooled, image.to(pooled.dtype)], 1)))
        return maps


class CascadeNet(UNet):
    """W-Net or T-Net: one sigmoid logit; squeeze-and-excitation after every encoder and decoder block if `squeeze`."""

    def __init__(self, in_channels: int, features: tuple[int, ...], squeeze: bool) -> None:
        block = squeezed_double_conv if squeeze else double_conv
        super().__init__(ImagePyramidEncoder(in_channels, features, squeeze), features, block)
        self.head = nn.Conv3d(features[0], 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logit (B, 1, D, H, W)."""
        return self.head(self.decode(x)[0])


class TuNet(nn.Module):
    """W-Net and T-Net as one network for (B, 1, D, H, W) input, sizes multiples of `2 ** (len(features) - 1)`.

    T-Net's loss also trains W-Net, through the probability map. Raises ValueError unless `num_classes` is 2.
    """

    def __init__(
        self, num_classes: int, features: tuple[int, ...], in_channels: int = 1, squeeze: bool = False
    ) -> None:
        super().__init__()
        if num_classes != 2:
            raise ValueError(f"TuNet has two maps, whole and tumor, not {num_classes}")
        self.w_net = CascadeNet(in_channels, features, squeeze)
        self.t_net = CascadeNet(in_channels + 1, features, squeeze)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Sigmoid logits (B, 2, D, H, W) of (kidney or tumor, tumor)."""
        whole = self.w_net(x)
        tumor = self.t_net(torch.cat([x, whole.sigmoid()], 1))
        return torch.cat([whole, tumor], 1)

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """The same logits."""
        return self.forward(x)
