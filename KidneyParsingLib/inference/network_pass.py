"""One forward pass of a network over an array of HU: scaling, padding to its stride, optional mirroring."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InputError
from ..networks.configs import NetworkConfig, normalized
from .grid import AIR_HU

# Training mirrors right and left only: a patient is never upside down or back to front.
_MIRRORS = ((), (4,))


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
def predict_logits(
    network: nn.Module, config: NetworkConfig, hu: np.ndarray, device: torch.device, tta: bool = False
) -> np.ndarray:
    """Logits (C, z, y, x) float32 of HU (z, y, x) on the network's grid; with `tta` the mean with the mirrored copy.

    Sizes are filled up with air to multiples of the network's stride, at least two of them: normalisation over a
    single voxel at the bottom of the network is undefined.
    """
    stride = config.stride
    padding = [max(2 * stride, -(-n // stride) * stride) - n for n in hu.shape]
    padded = F.pad(torch.from_numpy(hu), (0, padding[2], 0, padding[1], 0, padding[0]), value=AIR_HU)
    image = normalized(padded.to(device), config)[None, None]
    mirrors = _MIRRORS if tta else _MIRRORS[:1]
    total = sum(network.predict(image.flip(axes)).flip(axes).float() for axes in mirrors) / len(mirrors)
    return total[0, :, : hu.shape[0], : hu.shape[1], : hu.shape[2]].cpu().numpy()
