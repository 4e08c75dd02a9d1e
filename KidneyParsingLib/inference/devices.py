"""Where a run computes, without asking torch where the answer can only be: on the CPU. Importing it takes a second."""

from __future__ import annotations

import sys
from ctypes.util import find_library
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CPU = "cpu"
# What there is where the driver of an NVIDIA or AMD GPU runs: on Linux, on Linux within Windows.
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def device_of(name: str) -> str:
    """The device that `auto`, `cpu`, `cuda`, `cuda:N` or `mps` means on this machine: cpu, mps or cuda:N.

    Raises InputError if the device is not there.
    """
    if name == CPU or (name == "auto" and not may_have_gpu()):
        return CPU
    from ..networks.devices import choose_device

    return str(choose_device(name))


def is_cpu(device: str) -> bool:
    """Whether a device is the CPU."""
    return device == CPU


def may_have_gpu() -> bool:
    """Whether torch might find a GPU that `auto` means; False only where it surely does not."""
    if _torch_version().endswith("+cpu") or sys.platform == "darwin":
        return False
    return find_library("nvcuda") is not None if sys.platform == "win32" else any(map(_exists, _DRIVERS))


def _exists(path: str) -> bool:
    return Path(path).exists()


def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return "+cpu"
