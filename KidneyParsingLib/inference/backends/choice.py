"""Which backend runs a network: the one asked for, or on a CPU the fastest of those that are installed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from ...cache import remember, remembered
from ...errors import InputError
from ...networks.configs import NetworkConfig
from ...networks.precision import half_type
from .backend import Backend
from .torch_backend import TorchBackend, tells_boundary

_KEPT = "backends"
_PROBE_VOXELS = 64
# Largest error of a backend's maps, relative to the largest map value.
_MOST_ERROR = 2e-3
_MOST_HALF_ERROR = 0.1
_OTHERS = ("openvino", "onnxruntime")


@dataclass(frozen=True)
class NetworkToRun:
    """A network as backends need it: `key` names its weights (SHA256); `half` asks for half precision where the
    processor computes in it; with `boundary` the boundary's probability comes too, if the network has one."""

    network: nn.Module
    config: NetworkConfig
    key: str
    half: bool = False
    boundary: bool = False


def choose_backend(wanted: str, to_run: NetworkToRun, device: torch.device) -> Backend:
    """The backend called `wanted`; for "auto" on a CPU the fastest one, found by a short probe and remembered.

    A GPU is left to torch, compiled or not. Raises InputError if `wanted` is not installed or cannot run the network.
    """
    if device.type != "cpu" or wanted in ("torch", "compiled"):
        return _torch(to_run, device, compiled=wanted == "compiled")
    if wanted != "auto":
        return _required(wanted, to_run)
    installed = [name for name in _OTHERS if _is_installed(name)]
    if not installed:
        return _torch(to_run, device)
    key = _machine_key(to_run, installed)
    known = remembered(_KEPT)
    if known.get(key) in ("torch", *installed):
        return _made(known[key], to_run, is_known=True) or _torch(to_run, device)
    fastest = _fastest(to_run, installed)
    remember(_KEPT, known | {key: fastest.name})
    return fastest


def _is_installed(name: str) -> bool:
    """Whether a backend is there, and what torch needs to write its ONNX file."""
    return bool(find_spec(name) and find_spec("onnx"))


def _torch(to_run: NetworkToRun, device: torch.device, compiled: bool = False) -> Backend:
    # A GPU always computes in half precision, as in training.
    half = half_type(device) if to_run.half or device.type == "cuda" else None
    return TorchBackend(to_run.network, device, half, to_run.boundary, compiled)


def _required(name: str, to_run: NetworkToRun) -> Backend:
    if not _is_installed(name):
        raise InputError(f"{name} is not installed; pip install 'KidneyParsingLib[{name}]' or choose --backend torch.")
    backend = _made(name, to_run)
    if backend is None:
        raise InputError(f"{name} cannot run the network {to_run.config.network} here; choose --backend torch.")
    return backend


def _made(name: str, to_run: NetworkToRun, is_known: bool = False) -> Backend | None:
    """The backend of this name, or None where it cannot run the network or computes something else, which is looked
    into unless it `is_known` to be right."""
    torch_backend = _torch(to_run, torch.device("cpu"))
    if name == "torch":
        return torch_backend
    try:
        backend = _CONSTRUCTORS[name](to_run)
        return backend if is_known or _agree(backend, torch_backend, to_run) else None
    except Exception:  # whatever a library that is not ours raises
        return None


def _agree(backend: Backend, torch_backend: Backend, to_run: NetworkToRun) -> bool:
    """Whether a backend's maps of a small image are torch's."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 1, *(2 * to_run.config.stride,) * 3, generator=generator)
    maps, expected = backend(image), torch_backend(image)
    if maps.shape != expected.shape:
        return False
    error = _MOST_HALF_ERROR if to_run.half else _MOST_ERROR
    return bool((maps - expected).abs().max() <= error * expected.abs().max())


def _openvino(to_run: NetworkToRun) -> Backend:
    half = to_run.half and half_type(torch.device("cpu")) is not None
    module = import_module(".openvino_backend", __package__)
    return module.OpenVinoBackend(_onnx_file(to_run), torch.get_num_threads(), half)


def _onnxruntime(to_run: NetworkToRun) -> Backend:
    module = import_module(".onnxruntime_backend", __package__)
    return module.OnnxRuntimeBackend(_onnx_file(to_run), torch.get_num_threads())


_CONSTRUCTORS: dict[str, Callable[[NetworkToRun], Backend]] = {"openvino": _openvino, "onnxruntime": _onnxruntime}


def _onnx_file(to_run: NetworkToRun) -> Path:
    from .onnx_file import onnx_file

    boundary = to_run.boundary and tells_boundary(to_run.network)
    return onnx_file(to_run.network, to_run.config.stride, boundary, to_run.key)


def _machine_key(to_run: NetworkToRun, installed: list[str]) -> str:
    """What the answer of a probe holds for."""
    versions = (f"{name} {version(name)}" for name in ("torch", *installed))
    parts = (to_run.key[:16], f"half {to_run.half}", f"{torch.get_num_threads()} of {os.cpu_count()}", *versions)
    return ", ".join(parts)


def _fastest(to_run: NetworkToRun, installed: list[str]) -> Backend:
    made = [backend for name in ("torch", *installed) if (backend := _made(name, to_run))]
    sides = (-(-_PROBE_VOXELS // to_run.config.stride) * to_run.config.stride,) * 3
    return min(made, key=lambda backend: _seconds(backend, torch.zeros(1, 1, *sides)))


def _seconds(backend: Backend, image: torch.Tensor) -> float:
    """The better of two passes after one that warms up; a backend that fails takes for ever."""
    try:
        backend(image)
        return min(_timed(backend, image) for _ in range(2))
    except Exception:  # whatever a library that is not ours raises
        return float("inf")


def _timed(backend: Backend, image: torch.Tensor) -> float:
    start = time.perf_counter()
    backend(image)
    return time.perf_counter() - start
