"""The papers' commands on a few tiny scans in each layout: networks and patches made small, everything else as
published."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_scans

from KidneyParsingLib.cli import main
from KidneyParsingLib.networks import configs
from KidneyParsingLib.networks.configs import CONFIGS, NetworkConfig
from KidneyParsingLib.training.release import trained_network

CASES = {
    "KiPA22": lambda folder: tiny_scans.kipa(folder),
    "KiTS19": lambda folder: tiny_scans.kits(folder, "segmentation.nii.gz", (1, 2)),
    "KiTS21": lambda folder: tiny_scans.kits(folder, "aggregated_MAJ_seg.nii.gz", (1, 2, 3)),
    "KiTS23": lambda folder: tiny_scans.kits(folder, "segmentation.nii.gz", (1, 2, 3)),
    "nnU-Net": lambda folder: tiny_scans.nnunet(folder, {"background": 0, "artery": 1, "vein": 2, "ureter": 3}),
}
# Model, layout, the classes that its network then learns, and whether there are enough scans to hold some out.
PAPERS = [
    ("ba_net", "KiPA22", ("kidney", "tumor", "artery", "vein"), True),
    ("rb_ensemble", "KiPA22", ("kidney", "tumor", "artery", "vein"), True),
    ("boundary_stream", "KiTS19", ("kidney", "tumor"), True),
    ("bisc_unet", "KiTS21", ("kidney", "tumor"), True),
    ("kid_net", "nnU-Net", ("artery", "vein", "ureter"), False),
    ("tu_net", "KiTS19", ("kidney", "tumor"), True),
    ("tu_net", "KiTS23", ("kidney", "tumor"), False),
]


def small(network_config: NetworkConfig) -> NetworkConfig:
    """The same with three narrow levels, coarse voxels and a patch of 16^3."""
    resize = tuple(16 if count else 0 for count in network_config.resize)
    return replace(
        network_config, features=(4, 4, 4), spacing_mm=(4.0, 3.0, 3.0), patch=(16, 16, 16), resize=resize
    )  # fmt: skip


@pytest.fixture(autouse=True)
def small_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, network_config in CONFIGS.items():
        if key[1] == "paper":
            monkeypatch.setitem(configs.CONFIGS, key, small(network_config))


@pytest.mark.parametrize(("model", "layout", "classes", "held_out"), PAPERS, ids=lambda value: str(value))
def test_the_paper_s_command_trains_every_network_of_the_model(
    model: str, layout: str, classes: tuple[str, ...], held_out: bool, tmp_path: Path
) -> None:
    """One step and, where scans are held out, a validation; the mean HU come from the data."""
    data, run = CASES[layout](tmp_path / "data"), tmp_path / "run"
    split = ["--folds", "2"] if held_out else ["--fold", "none"]
    command = ["train", "--model", model, "--config", "paper", "--data", layout, str(data), "-o", str(run)]
    assert main([*command, *split, "--steps", "1", "--batch", "1", "--device", "cpu"]) == 0
    files = sorted(run.rglob("checkpoint.safetensors"))
    assert files and len(files) == (1 if files[0].parent == run else len(list(run.glob("*"))) - 1)
    found = [trained_network(file)[1] for file in files]
    assert {c.classes[1:] for c in found} <= {classes, ("kidney",)}
    assert all(file.with_name("validation.csv").exists() == held_out for file in files)
    published = CONFIGS[model if (model, "paper") in CONFIGS else "res_unet", "paper"]
    assert all(c.mean_hu != published.mean_hu or c.std_hu == 1000 for c in found)


def test_torchrun_s_processes_share_a_training(tmp_path: Path) -> None:
    """Two processes with a batch of 2 log the losses of one, through the program itself."""
    data = CASES["KiTS19"](tmp_path / "data")
    train = ["train", "--model", "l_net", "--config", "tiny", "--data", "KiTS19", str(data), "--fold", "none"]
    train += ["--steps", "2", "--batch", "2", "--device", "cpu", "--threads", "1"]
    assert main([*train, "-o", str(tmp_path / "one")]) == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    program = [sys.executable, "-m", "KidneyParsingLib", *train, "-o", str(tmp_path / "two")]
    processes = [
        subprocess.Popen(program, env={**os.environ, **group, "RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")
    ]
    assert [process.wait(timeout=180) for process in processes] == [0, 0]
    one, two = (losses(tmp_path / name / "log.csv") for name in ("one", "two"))
    # bfloat16 where the processor has it: single samples are the same, their order in sums is not.
    assert two == pytest.approx(one, rel=2e-2) and len(two) == 2


def losses(path: Path) -> list[float]:
    with path.open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]
