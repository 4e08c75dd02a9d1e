"""Plain U-Net with nnU-Net's blocks (Isensee et al. 2021, 10.1038/s41592-020-01008-z); the locator is a narrow one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from .blocks import Encoder, UNet, double_conv


class SupervisedUNet(UNet):
    """U-Net with a 1x1x1 head on the finest decoder map and, with `deep_supervision`, one on every coarser one."""

    def __init__(
        self,
        encoder: nn.Module,
        features: tuple[int, ...],
        num_classes: int,
        deep_supervision: bool,
        block: Callable[[int, int], nn.Module] = double_conv,
    ) -> None:
        super().__init__(encoder, features, block)
        self.head = nn.Conv3d(features[0], num_classes, 1)
        coarser = features[1:-1] if deep_supervision else ()
        self.auxiliary_heads = nn.ModuleList(nn.Conv3d(width, num_classes, 1) for width in coarser)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Logits (B, classes, d, h, w) of every supervised decoder scale, finest first."""
        # Fewer heads than maps: the encoder's coarsest map never has one.
        heads = (self.head, *self.auxiliary_heads)
        return [head(features) for head, features in zip(heads, self.decode(x), strict=False)]

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, classes, D, H, W) of the finest scale."""
        return self.head(self.decode(x)[0])


class PlainUNet(SupervisedUNet):
    """U-Net for (B, 1, D, H, W) input whose sizes are multiples of `2 ** (len(features) - 1)`.

    Two convolutions a level in encoder and decoder, strided convolutions down, transposed ones up.
    """

    def __init__(
        self, num_classes: int, features: tuple[int, ...], in_channels: int = 1, deep_supervision: bool = False
    ) -> None:
        super().__init__(Encoder(in_channels, features), features, num_classes, deep_supervision)
