"""Half precision where the processor computes in it, and only there: elsewhere it is slower than float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path

import torch

_CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16")


def half_type(device: torch.device) -> torch.dtype | None:
    """The number type of mixed precision: bfloat16 where the processor has it, else float16 on CUDA, None elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if _gpu_has_bfloat16(device) else torch.float16
    return torch.bfloat16 if device.type == "cpu" and _cpu_has_bfloat16() else None


def autocast(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager:
    """The context in which a network computes in `dtype`; None leaves it float32."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def loss_scaler(device: torch.device, dtype: torch.dtype | None) -> torch.amp.GradScaler:
    """Scales the loss for float16, whose small gradients would vanish; does nothing for the other types."""
    return torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)


def _gpu_has_bfloat16(device: torch.device) -> bool:
    # torch.cuda.is_bf16_supported counts GPUs that only emulate it.
    return torch.version.hip is not None or torch.cuda.get_device_capability(device)[0] >= 8


@lru_cache(maxsize=1)
def _cpu_has_bfloat16() -> bool:
    """Newer versions of torch name the processor's capabilities; for the older ones Linux does."""
    if hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in _CPU_BFLOAT16)
    return _linux_cpu_has_bfloat16(Path("/proc/cpuinfo"))


def _linux_cpu_has_bfloat16(cpuinfo: Path) -> bool:
    words = cpuinfo.read_text(encoding="utf-8").split() if cpuinfo.exists() else []
    return any(name in words for name in _CPU_BFLOAT16)
