"""One forward pass of a network over an array of HU: scaling, padding to its stride, optional mirroring."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..networks.configs import NetworkConfig, normalized

_MIRRORS = ((), (2,), (3,), (4,))


def choose_device(name: str) -> torch.device:
    """The torch device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; auto takes the fastest there is."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@torch.inference_mode()
def predict_logits(
    network: nn.Module, config: NetworkConfig, hu: np.ndarray, device: torch.device, tta: bool = False
) -> np.ndarray:
    """Logits (C, z, y, x) float32 of HU (z, y, x) on the network's grid; with `tta` the mean over mirrored copies."""
    image = normalized(torch.from_numpy(hu).to(device), config)[None, None]
    padding = [(-n) % config.stride for n in hu.shape]
    image = F.pad(image, (0, padding[2], 0, padding[1], 0, padding[0]), value=float(image.min()))
    mirrors = _MIRRORS if tta else _MIRRORS[:1]
    total = sum(network.predict(image.flip(axes)).flip(axes).float() for axes in mirrors) / len(mirrors)
    return total[0, :, : hu.shape[0], : hu.shape[1], : hu.shape[2]].cpu().numpy()
