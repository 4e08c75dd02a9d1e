"""`python -m KidneyParsingLib.speed.ceiling [quick]`: this machine's fastest 3x3x3 convolution, as one JSON line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch.nn.functional import conv3d

from .measuring import cores

# Channels and voxels (z, y, x) of the convolutions that are tried: many channels and maps that stay in the cache.
_SHAPES = ((64, (24, 48, 48)), (128, (24, 48, 48)), (256, (12, 32, 32)))
_QUICK_SHAPES = ((64, (8, 16, 16)),)
_REPEATS = 12


def conv_flops(channels: int, shape: tuple[int, ...]) -> int:
    """Floating point operations of a 3x3x3 convolution without bias, `channels` in and out, padded, over `shape`."""
    voxels = shape[0] * shape[1] * shape[2]
    return 2 * 27 * channels * channels * voxels


def ceiling(quick: bool = False) -> dict[str, float]:
    """Best GFLOP/s by library, of all shapes and repeats, with all threads, float32, channels-last in torch."""
    torch.set_num_threads(cores())
    shapes = _QUICK_SHAPES if quick else _SHAPES
    makers = {"torch": _torch_convolution}
    if find_spec("openvino"):
        makers["openvino"] = _openvino_convolution
    repeats = 3 if quick else _REPEATS
    return {name: max(_best_gflops(make, *shape, repeats) for shape in shapes) for name, make in makers.items()}


def _best_gflops(make: Callable, channels: int, shape: tuple[int, int, int], repeats: int) -> float:
    run = make(channels, shape)
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return conv_flops(channels, shape) / min(seconds) / 1e9


def _torch_convolution(channels: int, shape: tuple[int, int, int]) -> Callable[[], object]:
    layout = {"memory_format": torch.channels_last_3d}
    x = torch.randn(1, channels, *shape).to(**layout)
    weight = torch.randn(channels, channels, 3, 3, 3).to(**layout)

    def run() -> object:
        with torch.inference_mode():
            return conv3d(x, weight, padding=1)

    return run


def _openvino_convolution(channels: int, shape: tuple[int, int, int]) -> Callable[[], object]:
    import numpy as np
    import openvino
    from openvino import opset13 as ops

    x = ops.parameter([1, channels, *shape], np.float32)
    weight = ops.constant(np.random.default_rng(0).standard_normal((channels, channels, 3, 3, 3), np.float32))
    once = [1, 1, 1]
    model = openvino.Model([ops.convolution(x, weight, once, once, once, once)], [x])
    options = {"INFERENCE_NUM_THREADS": cores(), "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
    request.set_input_tensor(openvino.Tensor(np.ones((1, channels, *shape), np.float32)))
    return request.infer


if __name__ == "__main__":
    sys.stdout.write(json.dumps(ceiling("quick" in sys.argv[1:])) + "\n")
