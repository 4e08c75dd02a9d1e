"""Which backend runs a network: the one asked for, or on a CPU the fastest of those that are installed.

torch is imported only where it computes or writes a network's ONNX file: where another backend is known to be the
fastest, a run does without it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...cache import remember, remembered
from ...errors import InputError
from ...networks.configs import NetworkConfig
from ...sentences import texts_of
from ...threads import tell_torch, thread_count
from ..devices import CPU, is_cpu
from .backend import Backend
from .onnx_file import is_whole, onnx_file

if TYPE_CHECKING:
    from torch import nn

    from .network_maps import NetworkMaps

_ = texts_of(__name__)

_KEPT = "backends"
_PROBE_VOXELS = 64
# Largest error of a backend's maps: of probabilities, or of logits relative to the largest one.
_MOST_ERROR = 2e-3
_MOST_HALF_ERROR = 0.2
# Backends that compute on the CPU only.
ON_CPU = ("openvino", "onnxruntime")


@dataclass(frozen=True)
class NetworkToRun:
    """A network as backends need it: `load` gives it, in evaluation mode and every time anew; `key` names its weights
    (SHA256). `half` asks for half precision where the processor computes in it; with `boundary` the boundary's
    probability comes too, if the network has one; with `raw` maps are logits."""

    load: Callable[[], nn.Module]
    config: NetworkConfig
    key: str
    half: bool = False
    boundary: bool = False
    raw: bool = False

    @property
    def gives_boundary(self) -> bool:
        """Whether the boundary's probability is the last map."""
        return self.boundary and self.config.tells_boundary

    @property
    def what(self) -> str:
        """Which maps come out, in a word for names of files."""
        return ("logits" if self.raw else "maps") + ("-boundary" if self.gives_boundary else "")

    def maps(self) -> NetworkMaps:
        """What is run of the network, for torch."""
        from .network_maps import NetworkMaps

        return NetworkMaps(self.load(), self.config, self.gives_boundary, self.raw)


def choose_backend(wanted: str, to_run: NetworkToRun, device: str = CPU) -> Backend:
    """The backend called `wanted`; for "auto" on a CPU the fastest one, found by a short probe and remembered.

    A GPU is left to torch, compiled or not. Raises InputError if `wanted` is not installed or cannot run the network.
    """
    if not is_cpu(device) and wanted in ON_CPU:
        text = _("{name} computes on the CPU only; choose --device cpu or --backend torch.")
        raise InputError(text.format(name=wanted))
    if not is_cpu(device) or wanted in ("torch", "compiled"):
        return _torch(to_run, device, compiled=wanted == "compiled")
    if wanted != "auto":
        return _required(wanted, to_run)
    installed = [name for name in ON_CPU if _is_installed(name)]
    if not installed:
        return _torch(to_run)
    key = _machine_key(to_run, installed)
    known = remembered(_KEPT)
    if known.get(key) in ("torch", *installed):
        return _made(known[key], to_run) or _torch(to_run)
    fastest = _fastest(to_run, installed)
    remember(_KEPT, known | {key: fastest.name})
    return fastest


def _is_installed(name: str) -> bool:
    """Whether a backend is there, and what torch needs to write its ONNX file."""
    return bool(find_spec(name) and find_spec("onnx"))


def _torch(to_run: NetworkToRun, device: str = CPU, compiled: bool = False) -> Backend:
    import torch

    from ...networks.precision import half_type
    from .torch_backend import TorchBackend

    tell_torch()
    on = torch.device(device)
    # A GPU always computes in half precision, as in training.
    half = half_type(on) if to_run.half or on.type == "cuda" else None
    return TorchBackend(to_run.load(), to_run.config, on, half, to_run.gives_boundary, to_run.raw, compiled)


def _required(name: str, to_run: NetworkToRun) -> Backend:
    if not _is_installed(name):
        raise InputError(
            _("{name} is not installed; pip install {name} onnx, or choose --backend torch.").format(name=name)
        )
    backend = _agreeing(name, to_run)
    if backend is None:
        raise InputError(
            _("{name} cannot run the network {network} here; choose --backend torch.").format(
                name=name, network=to_run.config.network
            )
        )
    return backend


def _made(name: str, to_run: NetworkToRun) -> Backend | None:
    """The backend of this name, or None where it cannot run the network."""
    try:
        return _CONSTRUCTORS[name](to_run)
    except Exception:  # whatever a library that is not ours raises
        return None


def _agreeing(name: str, to_run: NetworkToRun) -> Backend | None:
    """The backend of this name, or None where it cannot run the network or its maps of a small image are not
    torch's."""
    backend = _made(name, to_run)
    try:
        return backend if backend and _agree(backend, _torch(to_run), to_run) else None
    except Exception:  # whatever a library that is not ours raises
        return None


def _agree(backend: Backend, torch_backend: Backend, to_run: NetworkToRun) -> bool:
    image = np.random.default_rng(0).standard_normal((2 * to_run.config.stride,) * 3, np.float32)
    maps, expected = backend(image), torch_backend(image)
    if maps.shape != expected.shape:
        return False
    error = _MOST_HALF_ERROR if to_run.half else _MOST_ERROR
    return bool(np.abs(maps - expected).max() <= error * max(1.0, np.abs(expected).max()))


def _openvino(to_run: NetworkToRun) -> Backend:
    backend = import_module(".openvino_backend", __package__).OpenVinoBackend
    return _of_onnx_file(to_run, lambda path: backend(path, thread_count(), to_run.half))


def _onnxruntime(to_run: NetworkToRun) -> Backend:
    backend = import_module(".onnxruntime_backend", __package__).OnnxRuntimeBackend
    return _of_onnx_file(to_run, lambda path: backend(path, thread_count()))


def _of_onnx_file(to_run: NetworkToRun, make: Callable[[Path], Backend]) -> Backend:
    """What `make` makes of the network's ONNX file; of a new one if the kept one is damaged."""
    path = _onnx_file(to_run)
    try:
        return make(path)
    except Exception:  # whatever a library that is not ours raises
        if is_whole(path):
            raise
        with suppress(OSError):
            path.unlink()
        return make(_onnx_file(to_run))


_CONSTRUCTORS: dict[str, Callable[[NetworkToRun], Backend]] = {
    "torch": _torch,
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
}


def _onnx_file(to_run: NetworkToRun) -> Path:
    return onnx_file(to_run.maps, to_run.config.stride, f"{to_run.key}-{to_run.what}")


def _machine_key(to_run: NetworkToRun, installed: list[str]) -> str:
    """What the answer of a probe holds for."""
    versions = (f"{name} {_version(name)}" for name in ("torch", *installed))
    cores = f"{thread_count()} of {os.cpu_count()}"
    return ", ".join((to_run.key[:16], to_run.what, f"half {to_run.half}", cores, *versions))


def _version(module: str) -> str:
    """A module's version; that of the file where its distribution has another name, as onnxruntime-gpu has."""
    try:
        return version(module)
    except PackageNotFoundError:
        found = find_spec(module)
        return f"of {os.path.getmtime(found.origin):.0f}" if found and found.origin else "unknown"


def _fastest(to_run: NetworkToRun, installed: list[str]) -> Backend:
    made = [_torch(to_run), *(backend for name in installed if (backend := _agreeing(name, to_run)))]
    sides = (-(-_PROBE_VOXELS // to_run.config.stride) * to_run.config.stride,) * 3
    return min(made, key=lambda backend: _seconds(backend, np.zeros(sides, np.float32)))


def _seconds(backend: Backend, image: np.ndarray) -> float:
    """The better of two passes after one that warms up; a backend that fails takes for ever."""
    try:
        backend(image)
        return min(_timed(backend, image) for _ in range(2))
    except Exception:  # whatever a library that is not ours raises
        return float("inf")


def _timed(backend: Backend, image: np.ndarray) -> float:
    start = time.perf_counter()
    backend(image)
    return time.perf_counter() - start
