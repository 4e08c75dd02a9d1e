"""Building blocks that the networks share; all take and give (B, C, D, H, W)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from .convolution import Conv3d

NEGATIVE_SLOPE = 0.01


class InstanceNorm(nn.InstanceNorm3d):
    """Affine instance normalisation, faster than torch's on a CPU with one sample a batch.

    torch's own gives up the channels-last layout, which every convolution after it has to restore. For one sample batch
    normalisation by the sample's statistics is the same thing and keeps the layout. In training torch makes the
    statistics, in plain float32 sums; at inference, where maps can be much larger, they are summed row by row and then
    in float64, which is as exact as torch's instance normalisation.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, D, H, W) normalised per sample and channel."""
        if x.shape[0] > 1 or x.device.type != "cpu" or torch.onnx.is_in_onnx_export():
            return super().forward(x)
        if self.training:
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        if not x.is_contiguous(memory_format=torch.channels_last_3d):
            return super().forward(x)
        if x.dtype != torch.float32:  # half precision's own errors are larger than those of a plain sum
            return F.group_norm(x, x.shape[1], self.weight, self.bias, self.eps)
        mean, variance = row_statistics(x)
        return F.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)


def row_statistics(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance (C,) of a channels-last float32 map (1, C, D, H, W): sums over rows of W voxels in float32,
    over the rows in float64."""
    rows = x.movedim(1, -1).flatten(0, 2)
    count = rows.shape[0] * rows.shape[1]
    mean = rows.sum(1).sum(0, dtype=torch.float64) / count
    squares = torch.linalg.vector_norm(rows, dim=1).double().square().sum(0) / count
    return mean.float(), (squares - mean * mean).clamp_min(0).float()


def conv_norm(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """3x3x3 convolution, instance normalisation, leaky ReLU (nnU-Net's block, 10.1038/s41592-020-01008-z)."""
    return nn.Sequential(
        Conv3d(in_channels, out_channels, stride),
        InstanceNorm(out_channels),
        nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
    )


def double_conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Two `conv_norm`s; the first one has the stride."""
    return nn.Sequential(conv_norm(in_channels, out_channels, stride), conv_norm(out_channels, out_channels))


class ResidualBlock(nn.Module):
    """conv3, norm, leaky ReLU, conv3, norm; the input is added before the last leaky ReLU (He et al. 2016, 1512.03385).

    Where width or resolution changes the shortcut is a 1x1x1 convolution and a norm, as in nnU-Net.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.first = conv_norm(in_channels, out_channels, stride)
        self.second = conv_norm(out_channels, out_channels)[:2]
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, stride, bias=False),
                InstanceNorm(out_channels),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, in, D, H, W) -> (B, out, D, H, W), sizes divided by the stride."""
        return F.leaky_relu(self.second(self.first(x)) + self.shortcut(x), NEGATIVE_SLOPE, inplace=True)


class SqueezeExcitation(nn.Module):
    """Channel gates in (0, 1) from the channels' means (Hu et al. 2018, 1709.01507).

    The bottleneck has 1/16 of the channels as there, but at least 4, which our narrow networks need.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(4, channels // 16)
        self.gates = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, channels), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Every channel times its gate; the shape stays."""
        return x * self.gates(x.mean((2, 3, 4)))[:, :, None, None, None]


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


def upsampled(x: torch.Tensor, factor: int = 2) -> torch.Tensor:
    """Trilinear upsampling of (B, C, D, H, W) by `factor`, in the precision of `x`."""
    return F.interpolate(x, scale_factor=float(factor), mode="trilinear").to(x.dtype)


class PoolingEncoder(nn.Module):
    """3D U-Net's encoder (Cicek et al. 2016, 1606.06650): one `double_conv` a level, 2x2x2 max pooling in between."""

    def __init__(self, in_channels: int, features: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(double_conv(a, b) for a, b in pairwise((in_channels, *features)))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps from full resolution to the coarsest."""
        maps = [self.levels[0](x)]
        for level in self.levels[1:]:
            maps.append(level(F.max_pool3d(maps[-1], 2)))
        return maps


class UNet(nn.Module):
    """An encoder and its decoder: per level `Up`, concatenation of the encoder's skip and `block(inputs, outputs)`.

    `encoder` gives feature maps of widths `features` from fine to coarse. What becomes of the decoder's maps is left
    to the networks that are built on this one.
    """

    def __init__(
        self,
        encoder: nn.Module,
        features: tuple[int, ...],
        block: Callable[[int, int], nn.Module] = double_conv,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.ups = nn.ModuleList(Up(below, width) for below, width in pairwise(features[::-1]))
        self.blocks = nn.ModuleList(block(2 * width, width) for width in features[-2::-1])

    def decode(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The decoder's feature maps, finest first; the last one is the encoder's coarsest."""
        return self.climb(self.encoder(x))

    def climb(self, encoded: list[torch.Tensor]) -> list[torch.Tensor]:
        """`decode` from the encoder's maps, fine to coarse."""
        *skips, features = encoded
        maps = [features]
        for up, block, skip in zip(self.ups, self.blocks, reversed(skips), strict=True):
            maps.insert(0, block(torch.cat([up(maps[0]), skip], 1)))
        return maps
