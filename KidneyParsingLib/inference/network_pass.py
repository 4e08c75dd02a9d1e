"""A network over an array of HU: scaling, padding to its stride, windows, mirroring; probability maps come out."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InputError
from ..networks.configs import NESTED, NetworkConfig, normalized
from .grid import AIR_HU
from .windows import blended

Mirrors = tuple[tuple[int, ...], ...]
# Axes of (B, C, z, y, x) that are mirrored in each of the passes that are averaged.
PLAIN: Mirrors = ((),)
# For networks trained with right and left mirrored only: a patient is never upside down or back to front.
LEFT_RIGHT: Mirrors = ((), (4,))
ALL_AXES: Mirrors = ((), (2,), (3,), (4,), (2, 3), (2, 4), (3, 4), (2, 3, 4))
# Values in one full-resolution feature map (voxels x channels); about six such maps live at once, 4 bytes each.
_MAX_ONE_PASS_VALUES = 60_000_000


def choose_device(name: str) -> torch.device:
    """The torch device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; auto is a CUDA GPU or the CPU.

    Raises InputError if the device is not there. MPS must be asked for by name: several of its 3D operations are
    missing or wrong in older versions of torch.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(1, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"The device {name!r} cannot be used on this machine; choose auto or cpu.") from error


def to_device(network: nn.Module, device: torch.device) -> nn.Module:
    """The network on a device, channels-last on the CPU, where convolutions are fastest that way."""
    return network.to(device, memory_format=torch.channels_last_3d) if device.type == "cpu" else network.to(device)


@torch.inference_mode()
def predict_maps(
    network: nn.Module,
    config: NetworkConfig,
    hu: np.ndarray,
    device: torch.device,
    mirrors: Mirrors = PLAIN,
    window: tuple[int, int, int] | None = None,
) -> np.ndarray:
    """Probability maps (outputs, z, y, x) float32 of HU (z, y, x) on the network's grid; the mean over `mirrors`.

    In one pass where that fits into memory, else in windows of `window` (default: the training patch) that overlap by
    `config.overlap`.
    """

    def whole(part: np.ndarray) -> np.ndarray:
        return _one_pass(network, config, part, device, mirrors)

    if window is None and hu.size * config.features[0] <= _MAX_ONE_PASS_VALUES:
        return whole(hu)
    return blended(hu, config.outputs, window or config.patch, whole, config.overlap)


def _one_pass(
    network: nn.Module, config: NetworkConfig, hu: np.ndarray, device: torch.device, mirrors: Mirrors
) -> np.ndarray:
    """Sizes are filled up with air to multiples of the network's stride, at least two of them: normalisation over a
    single voxel at the bottom of the network is undefined."""
    stride = config.stride
    padding = [max(2 * stride, -(-n // stride) * stride) - n for n in hu.shape]
    padded = F.pad(torch.from_numpy(hu), (0, padding[2], 0, padding[1], 0, padding[0]), value=AIR_HU)
    image = normalized(padded.to(device), config)[None, None]
    activation = torch.sigmoid if config.activation == NESTED else _softmax
    total = sum(activation(network.predict(image.flip(axes)).flip(axes).float()) for axes in mirrors) / len(mirrors)
    return total[0, :, : hu.shape[0], : hu.shape[1], : hu.shape[2]].cpu().numpy()


def _softmax(logits: torch.Tensor) -> torch.Tensor:
    return logits.softmax(1)
