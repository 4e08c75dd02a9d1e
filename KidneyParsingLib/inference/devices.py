"""Where a run computes, without asking torch, whose import takes a second, where the answer can only be: on the CPU."""

from __future__ import annotations

import os
import sys
from ctypes.util import find_library
from importlib.metadata import version
from pathlib import Path

CPU = "cpu"
# What there is where the driver of a GPU runs: NVIDIA's (before and after its first use), Jetson's, AMD's, and that of
# Linux within Windows.
_DRIVERS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/nvmap", "/dev/kfd", "/dev/dxg")


def device_of(name: str) -> str:
    """The device that `auto`, `cpu`, `cuda`, `cuda:N` or `mps` means on this machine, as torch names it.

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
    if version("torch").endswith("+cpu") or sys.platform == "darwin":
        return False
    if sys.platform == "win32":
        return "rocm" in version("torch") or _has_nvidia_on_windows()
    return any(Path(path).exists() for path in _DRIVERS)


def _has_nvidia_on_windows() -> bool:
    system = Path(os.environ.get("SystemRoot", r"C:\Windows")) / "System32" / "nvcuda.dll"
    return system.exists() or find_library("nvcuda") is not None
