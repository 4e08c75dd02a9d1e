"""A U-Net that sees and tells apart voxels half as wide as those that it thinks in: no paper's; the second look's."""

from __future__ import annotations

import torch
from torch import nn

from .blocks import Encoder, UNet, conv_norm, upsampled

# Voxels of the input along an axis for one of the U-Net's.
FOLD = 2
# What is told of a coarse voxel beside the U-Net's features, and what is made of both.
_DETAILS, _HIDDEN = 8, 24


class FineUNet(UNet):
    """`PlainUNet` on blocks of 2 x 2 x 2 voxels of (B, 1, D, H, W), whose sizes are multiples of `2 ** len(features)`.

    Its first convolution reaches over the six voxels an axis that three blocks have. Its logits are those of the
    blocks, interpolated, and for each voxel of a block what the U-Net's features and the block's own surroundings add
    to them. It starts with nothing to add; with 1/8 of a `PlainUNet`'s first weights in every voxel of a block it then
    tells what that does of the blocks' means.
    """

    def __init__(self, num_classes: int, features: tuple[int, ...]) -> None:
        super().__init__(Encoder(1, features), features)
        stem = self.encoder.levels[0][0]
        stem[0] = nn.Conv3d(1, features[0], 3 * FOLD, FOLD, padding=FOLD)
        self.head = nn.Conv3d(features[0], num_classes, 1)
        self.details = nn.Conv3d(1, _DETAILS, 2 * FOLD, FOLD, padding=FOLD // 2)
        self.mixed = conv_norm(features[0] + _DETAILS, _HIDDEN)
        self.added = nn.ConvTranspose3d(_HIDDEN, num_classes, FOLD, FOLD)
        nn.init.zeros_(self.added.weight)
        nn.init.zeros_(self.added.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, classes, D, H, W)."""
        features = self.decode(x)[0]
        mixed = self.mixed(torch.cat([features, self.details(x)], 1))
        return upsampled(self.head(features), FOLD) + self.added(mixed)

    predict = forward
