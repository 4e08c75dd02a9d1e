"""Half precision is used only where the processor has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from KidneyParsingLib.networks import precision
from KidneyParsingLib.networks.precision import autocast, half_type, loss_scaler

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16)])
def test_older_gpus_train_in_float16(capability: tuple, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert half_type(GPU) == expected
    assert loss_scaler(CPU, expected).is_enabled() == (expected == torch.float16)


def test_amd_gpus_train_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "hip", "6.0")
    assert half_type(GPU) == torch.bfloat16


def test_other_devices_train_in_float32() -> None:
    assert half_type(torch.device("mps")) is None


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2 avx512f", False), ("fpu avx512f avx512_bf16", True), ("amx_tile amx_bf16", True), (None, False)],
)
def test_the_cpu_by_linux_where_torch_does_not_say(
    flags: str | None, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\n")
    assert precision._linux_cpu_has_bfloat16(cpuinfo) == expected


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="needs Linux's list of the processor's capabilities")
def test_torch_and_linux_agree_about_this_cpu() -> None:
    assert (half_type(CPU) == torch.bfloat16) == precision._linux_cpu_has_bfloat16(Path("/proc/cpuinfo"))


def test_autocast_computes_convolutions_in_its_type() -> None:
    layer, image = torch.nn.Conv3d(1, 1, 1), torch.zeros(1, 1, 2, 2, 2)
    with autocast(CPU, torch.bfloat16):
        assert layer(image).dtype == torch.bfloat16
    with autocast(CPU, None):
        assert layer(image).dtype == torch.float32
