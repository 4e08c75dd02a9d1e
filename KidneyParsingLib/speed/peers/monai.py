"""MONAI's transforms and sliding window, as its 3D segmentation tutorials show (Cardoso et al. 2022, 2211.02701)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...networks.configs import NetworkConfig
from .timing import Phases, loaded

_KEY, _RESULT = "image", "pred"


def run(ct: Path, weights: Path, output: Path) -> dict:
    """Segments a CT file into a .nii.gz of class indices; seconds by phase and the number of windows."""
    from monai.inferers import SlidingWindowInferer
    from monai.transforms import EnsureChannelFirstd, LoadImaged

    phases = Phases()
    network, config = loaded(weights)
    inferer = SlidingWindowInferer(config.patch, sw_batch_size=1, overlap=config.overlap, mode="gaussian")
    with phases("read"):
        case = EnsureChannelFirstd(_KEY)(LoadImaged(_KEY)({_KEY: str(ct)}))
    with phases("locate"):
        transforms = _transforms(config)
        case = transforms(case)
        image = case[_KEY].as_tensor().permute(0, 3, 2, 1)[None].contiguous()
    with phases("network"), torch.inference_mode():
        logits = inferer(image, network)
    with phases("labels"):
        labels = _labels(case, logits[0].permute(0, 3, 2, 1), transforms)
        del logits
    with phases("write"):
        _write(labels, output)
    return {"phases": phases.seconds, "windows": _windows(tuple(image.shape[2:]), config)}


def _transforms(config: NetworkConfig) -> Any:
    from monai.transforms import Compose, Orientationd, ScaleIntensityRanged, Spacingd

    low, high = config.clip_hu
    scaled = [(value - config.mean_hu) / config.std_hu for value in (low, high)]
    return Compose(
        [
            # Our networks' axes are to the left, to the posterior and up.
            Orientationd(_KEY, axcodes="LPS", labels=None),
            Spacingd(_KEY, pixdim=config.spacing_mm[::-1], mode="bilinear"),
            ScaleIntensityRanged(_KEY, low, high, *scaled, clip=True),
        ]
    )


def _labels(case: dict, logits: torch.Tensor, transforms: Any) -> torch.Tensor:
    """Class indices (1, x, y, z) on the CT's grid of logits (classes, x, y, z) on the network's."""
    from monai.data import MetaTensor
    from monai.transforms import AsDiscreted, Compose, Invertd

    case[_RESULT] = MetaTensor(logits, meta=case[_KEY].meta)
    back = Compose(
        [
            Invertd(_RESULT, transform=transforms, orig_keys=_KEY, nearest_interp=False, to_tensor=True),
            AsDiscreted(_RESULT, argmax=True),
        ]
    )
    return back(case)[_RESULT]


def _write(labels: Any, output: Path) -> None:
    from monai.data import NibabelWriter

    writer = NibabelWriter(output_dtype=np.uint8)
    writer.set_data_array(labels, channel_dim=0)
    writer.set_metadata(labels.meta, resample=False)
    writer.write(str(output))


def _windows(shape: tuple[int, ...], config: NetworkConfig) -> int:
    from monai.data.utils import dense_patch_slices

    interval = tuple(max(1, int(n * (1 - config.overlap))) for n in config.patch)
    padded = tuple(max(n, p) for n, p in zip(shape, config.patch, strict=True))
    return len(dense_patch_slices(padded, config.patch, interval))
