"""A network as an ONNX file, which OpenVINO and ONNX Runtime read."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch
from torch import nn

from ...cache import cache_folder
from .torch_backend import raw_maps

_OPSET = 17
INPUT, OUTPUT = "image", "maps"


class _Raw(nn.Module):
    """What torch.onnx can export: a module whose forward is what a backend runs."""

    def __init__(self, network: nn.Module, boundary: bool) -> None:
        super().__init__()
        self.network = network
        self._run = raw_maps(network, boundary)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self._run(image)


def onnx_file(network: nn.Module, stride: int, boundary: bool, key: str) -> Path:
    """The file of a network in the user's cache, made if it is not there; for images of any size in multiples of
    `stride`. `key` names the weights, say by their SHA256.

    Raises OSError if it cannot be written and ImportError if torch cannot export here.
    """
    path = cache_folder() / f"{key}{'-boundary' if boundary else ''}-{torch.__version__}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        export(network, stride, boundary, unfinished)
        os.replace(unfinished, path)
    return path


def export(network: nn.Module, stride: int, boundary: bool, path: Path) -> None:
    """Writes the network to an ONNX file of one input (1, 1, D, H, W) and one output (1, maps, D, H, W)."""
    sizes = {2: "depth", 3: "height", 4: "width"}
    with warnings.catch_warnings():
        # The newer exporter needs two more packages and tens of seconds.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Raw(network, boundary).eval(),
            (torch.zeros(1, 1, *(2 * stride,) * 3),),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: sizes, OUTPUT: sizes},
            opset_version=_OPSET,
            dynamo=False,
        )
