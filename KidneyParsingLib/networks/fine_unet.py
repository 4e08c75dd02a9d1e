"""A U-Net that sees and tells apart voxels half as wide as those that it thinks in: no paper's; the second look's."""

from __future__ import annotations

import torch
from torch import nn

from .blocks import Encoder, UNet, conv_norm, upsampled

# What is told of a coarse voxel beside the U-Net's features, and what is made of both.
_DETAILS, _HIDDEN = 8, 24


class FineUNet(UNet):
    """`PlainUNet` on blocks of `fold` voxels an axis of (B, 1, D, H, W), whose sizes are multiples of
    `fold * 2 ** (len(features) - 1)`; `fold` is even.

    Its first convolution reaches over the voxels of three blocks an axis. Its logits are those of the blocks,
    interpolated, and for each voxel of a block what the U-Net's features and the block's own surroundings add to them.
    It starts with nothing to add; with a `PlainUNet`'s first weights shared out evenly over every block it then tells
    what that does of the blocks' means.
    """

    def __init__(self, num_classes: int, features: tuple[int, ...], fold: int = 2) -> None:
        super().__init__(Encoder(1, features), features)
        self.fold = fold
        stem = self.encoder.levels[0][0]
        stem[0] = nn.Conv3d(1, features[0], 3 * fold, fold, padding=fold)
        self.head = nn.Conv3d(features[0], num_classes, 1)
        self.details = nn.Conv3d(1, _DETAILS, 2 * fold, fold, padding=fold // 2)
        self.mixed = conv_norm(features[0] + _DETAILS, _HIDDEN)
        self.added = nn.ConvTranspose3d(_HIDDEN, num_classes, fold, fold)
        nn.init.zeros_(self.added.weight)
        nn.init.zeros_(self.added.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, classes, D, H, W)."""
        features = self.decode(x)[0]
        mixed = self.mixed(torch.cat([features, self.details(x)], 1))
        logits = self.added(mixed)
        logits += upsampled(self.head(features), self.fold)  # in place: a map of all voxels less
        return logits

    predict = forward
