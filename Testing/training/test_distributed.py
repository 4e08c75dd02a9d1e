"""Two processes train as one does with the same global batch."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_run import toy_trainer

import KidneyParsingLib
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks.checkpoint import load_tensors
from KidneyParsingLib.training import distributed as module
from KidneyParsingLib.training.distributed import distributed, gathered, local_device, rank, share, world_size

# Four samples a step; a rate that falls as its validations say.
PLAN = {
    "steps": 12, "batch": 4, "optimizer": "sgd", "rate": 1e-2,
    "schedule": "plateau", "validate_every": 3, "patience": 1,
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_in_two_processes(folders: list[Path], plan: dict) -> None:
    """Starts both with the environment that torchrun gives its processes, and waits for them."""
    path = os.pathsep.join([str(Path(KidneyParsingLib.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", "PYTHONPATH": path}
    program = [sys.executable, str(Path(__file__).with_name("toy_run.py"))]
    argument = json.dumps({"folders": [str(folder) for folder in folders], "plan": plan})
    processes = [
        subprocess.Popen([*program, argument], env={**os.environ, **group, "RANK": str(r), "LOCAL_RANK": str(r)})
        for r in (0, 1)
    ]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has the same run three times: `one` in one process, `two` in two, `both` in one for six steps, then in two."""
    folder = tmp_path_factory.mktemp("runs")
    toy_trainer(folder / "one", PLAN).run()
    half = toy_trainer(folder / "both", PLAN)
    half.plan = replace(half.plan, steps=6)
    half.run()
    run_in_two_processes([folder / "two", folder / "both"], PLAN)
    return folder


@pytest.mark.parametrize("name", ["two", "both"])
def test_two_processes_log_the_losses_and_rates_of_one(folder: Path, name: str) -> None:
    one, two = rows(folder / "one" / "log.csv"), rows(folder / name / "log.csv")
    assert [row["step"] for row in two] == [str(step) for step in range(1, 13)]
    assert [float(row["loss"]) for row in two] == pytest.approx([float(row["loss"]) for row in one], rel=1e-5)
    assert [row["rate"] for row in two] == [row["rate"] for row in one]
    assert len({row["rate"] for row in one}) > 1


@pytest.mark.parametrize("name", ["two", "both"])
def test_two_processes_end_with_the_weights_of_one(folder: Path, name: str) -> None:
    one, two = (load_tensors(folder / run / "checkpoint.safetensors")[0] for run in ("one", name))
    assert one.keys() == two.keys()
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-4, atol=1e-5)
    assert not torch.equal(one["loss.shares"], torch.tensor([0.5, 0.5]))


def test_only_one_process_validates_and_all_learn_the_score(folder: Path) -> None:
    one, two = (rows(folder / run / "validation.csv") for run in ("one", "two"))
    assert [row["step"] for row in two] == ["3", "6", "9", "12"]
    assert [float(row["mean"]) for row in two] == pytest.approx([float(row["mean"]) for row in one], rel=1e-4)


def test_gathered_values_are_in_the_order_of_the_processes(folder: Path) -> None:
    for process in (0, 1):
        assert json.loads((folder / "two" / f"gathered_{process}.json").read_text()) == [[0, 0], [1, 10]]


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with distributed():
        assert (rank(), world_size(), share(3)) == (0, 1, range(3))
        values = torch.ones(2, 3, requires_grad=True)
        assert torch.equal(gathered(values), values) and not gathered(values).requires_grad


def test_each_process_takes_its_part_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "world_size", lambda: 3)
    monkeypatch.setattr(module, "rank", lambda: 1)
    assert list(share(6)) == [2, 3]


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "world_size", lambda: 2)
    with pytest.raises(InputError, match="multiple of 2"):
        toy_trainer(tmp_path, {"batch": 3})


def test_processes_with_different_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("KidneyParsingLib.training.trainer.gathered", lambda values: torch.cat([values, values + 300]))
    with pytest.raises(InputError, match="that all see"):
        toy_trainer(tmp_path, {})


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(module, "world_size", lambda: 2)
    monkeypatch.setattr(module, "choose_device", torch.device)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device("cuda") == torch.device("cuda", 1) and chosen == [1]
    assert local_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="1 GPUs"):
        local_device("cuda")
