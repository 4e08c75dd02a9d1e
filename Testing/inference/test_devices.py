"""Devices are found without torch where they can be, and so are networks that another backend runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.inference import devices
from KidneyParsingLib.inference.devices import device_of, is_cpu, may_have_gpu

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("system", "torch_version", "there", "expected"),
    [
        ("linux", "2.13.0+cpu", "/dev/nvidiactl", False),
        ("linux", "2.13.0+cu130", "/dev/nvidiactl", True),
        ("linux", "2.13.0", "/proc/driver/nvidia/version", True),
        ("linux", "2.13.0+rocm7.0", "/dev/kfd", True),
        ("linux", "2.13.0", "/dev/null", False),
        ("darwin", "2.13.0", "/dev/nvidiactl", False),
        ("win32", "2.13.0+cu130", "nvcuda.dll", True),
        ("win32", "2.13.0+cu130", "user32.dll", False),
        ("win32", "2.13.0+rocm7.0", "user32.dll", True),
    ],
)
def test_torch_is_only_asked_for_a_gpu_where_there_may_be_one(
    system: str, torch_version: str, there: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "version", lambda name: torch_version)
    monkeypatch.setattr(devices, "find_library", lambda name: None)
    monkeypatch.setattr(devices.Path, "exists", lambda path: str(path).endswith(there))
    monkeypatch.setattr(sys, "platform", system)
    assert may_have_gpu() == expected


def test_a_gpu_that_torch_finds_is_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(devices, "may_have_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of("auto") == "cuda" and not is_cpu(device_of("auto"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert is_cpu(device_of("auto"))


def test_a_device_that_is_not_there_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"The device 'cuda:99' cannot be used .* choose auto or cpu"):
        device_of("cuda:99")


def test_a_network_whose_backend_is_known_is_loaded_without_torch(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    code = (
        "import sys; from KidneyParsingLib.inference.models import load; import numpy as np\n"
        "maps = load('locator', 'cpu', sys.argv[1]).maps(np.zeros((32, 32, 32), np.float32))\n"
        "print(maps.shape == (5, 32, 32, 32), 'torch' in sys.modules)"
    )

    def run(backend: str) -> str:
        environment = {"PATH": "", "KIDNEYPARSING_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", code, backend]
        return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True).stdout.strip()

    assert run("openvino") == "True True", "torch writes the ONNX file and is compared with"
    kept = {name: "openvino" for name in _probed(run, tmp_path)}
    (tmp_path / "backends.json").write_text(json.dumps(kept))
    assert run("auto") == "True False"


def _probed(run: Callable[[str], str], cache: Path) -> list[str]:
    """For what a run has compared the backends."""
    run("auto")
    return list(json.loads((cache / "backends.json").read_text()))
