"""The 3x3x3 convolution that the networks are made of."""

from __future__ import annotations

import torch
from torch import nn

# torch 2.2 has no such question, and nothing that asks it.
_is_compiling = getattr(torch.compiler, "is_compiling", lambda: False)
# torch's `use_mkldnn` (aten/src/ATen/native/Convolution.cpp): up to here one sample does not go to oneDNN.
_LARGEST_OF_THE_LOOP = 20480


class Conv3d(nn.Conv3d):
    """3x3x3 convolution with zeros around, for one small sample on a CPU faster than torch's: six times with few
    channels, hardly with hundreds (docs/performance.md, backends).

    torch leaves oneDNN to batches, and to samples of many channels x depth x height; the coarse levels of our networks
    are computed by a plain loop, which took a third of a step of training. Cut into two along depth such a sample is a
    batch, and the result is the same.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, 3, stride, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, in, D, H, W) -> (B, out, D, H, W), sizes divided by the stride and rounded up."""
        return self._of_halves(x) if self._would_loop(x) else super().forward(x)

    def _would_loop(self, x: torch.Tensor) -> bool:
        if x.shape[0] > 1 or x.device.type != "cpu" or x.dtype != torch.float32:
            return False
        if torch.onnx.is_in_onnx_export() or _is_compiling():
            return False
        return x.shape[2] > self.stride[0] and x[0, ..., 0].numel() <= _LARGEST_OF_THE_LOOP

    def _of_halves(self, x: torch.Tensor) -> torch.Tensor:
        """Both halves have as many slices; of an odd number the one in the middle is computed twice."""
        stride = self.stride[0]
        depth = (x.shape[2] - 1) // stride + 1
        half = (depth + 1) // 2
        padded = nn.functional.pad(x, (0, 0, 0, 0, 1, stride))
        slices, second = stride * (half - 1) + 3, stride * (depth - half)
        halves = torch.cat([padded[:, :, :slices], padded[:, :, second : second + slices]])
        first, last = nn.functional.conv3d(halves, self.weight, self.bias, self.stride, (0, 1, 1)).split(1)
        return torch.cat([first, last[:, :, 2 * half - depth :]], 2)
