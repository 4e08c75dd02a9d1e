"""The campaign measures what is missing, in turns, and keeps what was measured when it is stopped."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from KidneyParsingLib.cli import main
from KidneyParsingLib.errors import InputError, KidneyParsingError
from KidneyParsingLib.speed import campaign as module
from KidneyParsingLib.speed.campaign import Campaign, Plan
from KidneyParsingLib.speed.measuring import Measured, environment, measure

ANSWERS = {
    "prepare": {"parameters": 1, "windows": 48, "gflop_per_window": 1.0, "ct_size": [1], "ct_mm": [1], "patch": [1]},
    "ceiling": {"torch": 100.0},
    "agreement": {"equal": 1.0, "dice": {}},
    "export_step": {"seconds": 1.0, "extra_gib": 0.1, "differing": 0, "voxels": 8},
    "scans": {"length_mm": 100.0},
}
OWN = {"phases": {"network": 4.0}, "windows": 48}


class FakeMachine:
    """Stands in for `measure`: writes what a program would, and remembers the order of the programs."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.stop_at: int | None = None

    def __call__(self, command: list[str], variables: dict[str, str], log: Path) -> Measured:
        name = command[2].rpartition(".")[2]
        if len(self.ran) == self.stop_at:
            raise KeyboardInterrupt
        self.ran.append(self._act(name, command))
        line = (1.0, json.dumps(ANSWERS.get(name, {"type": "progress", "phase": "Parsing"})))
        return Measured(5.0, 9.0, 1.0, (line,))

    @staticmethod
    def _act(name: str, command: list[str]) -> str:
        if name == "scans":
            Path(command[3]).touch()
        if name == "export_step" and command[3] == "make":
            (Path(command[4]) / "logits.npy").touch()
        if name in ("peers", "warm"):
            Path(f"{command[-1]}.json").write_text(json.dumps(OWN), encoding="utf-8")
        return f"{name} {command[3]}" if name in ("peers", "export_step") else name


@pytest.fixture
def fake_machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    made = FakeMachine()
    monkeypatch.setattr(module, "measure", made)
    monkeypatch.setattr("KidneyParsingLib.speed.rows.find_spec", lambda name: name)
    return made


def test_rounds_take_turns_and_nothing_is_measured_twice(tmp_path: Path, fake_machine: FakeMachine) -> None:
    plan = Plan(tmp_path, rounds=2, quick=True)
    Campaign(plan).run()
    order = [name for name in fake_machine.ran if name != "agreement"]
    a_round = ["ceiling", "peers nnunet", "peers monai", *["KidneyParsingLib"] * 4, "warm"]
    a_round += [f"export_step {method}" for method in ("torch", "nnunet", "ours")]
    first = ["KidneyParsingLib"] * 2
    assert order == ["prepare", "export_step make", *first, *a_round, *a_round, *["scans", "KidneyParsingLib"] * 2]
    assert fake_machine.ran.count("agreement") == 7
    fake_machine.ran.clear()
    Campaign(plan).run()
    assert fake_machine.ran == ["prepare"]


def test_what_is_done_stays_when_stopped(tmp_path: Path, fake_machine: FakeMachine) -> None:
    plan = Plan(tmp_path, rounds=1, peers=(), quick=True)
    fake_machine.stop_at = 8
    with pytest.raises(KeyboardInterrupt):
        Campaign(plan).run()
    assert list(Campaign(plan).data["rounds"][0]) == ["whole"]
    fake_machine.stop_at = None
    fake_machine.ran.clear()
    last = Campaign(plan)
    last.run()
    assert fake_machine.ran.count("KidneyParsingLib") == 3 + 2
    assert list(last.data["rounds"][0]) == ["whole", "whole_torch", "default", "fast", "warm"]
    assert last.data["rounds"][0]["whole"]["windows"] == 48


def test_command_prints_the_ratio_last_and_refuses_what_it_does_not_know(
    tmp_path: Path, fake_machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "speed", "--quick", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "ratio nnU-Net 0.80x, MONAI 0.80x, peak 1.00 GiB"
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {"", ".json", ".md", ".png"}
    assert main(["benchmark", "speed", "--peers", "vista", "--out", str(tmp_path / "other")]) == 2
    with pytest.raises(InputError, match="no file"):
        Campaign(Plan(tmp_path, ct=tmp_path / "missing.nii.gz"))


def test_a_process_is_measured_with_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; print('first', flush=True); time.sleep(0.2); "
        "subprocess.run([sys.executable, '-c', 'print(len(bytearray(300 * 2**20)))'])"
    )
    measured = measure([sys.executable, "-c", code], environment(), tmp_path / "log")
    (first, text), (second, _) = measured.lines
    assert text == "first\n" and second - first > 0.19 and measured.seconds >= second
    assert measured.peak_gib > 300 / 1024 and measured.cpu_seconds > 0


def test_a_process_that_fails_is_told_with_where_its_messages_are(tmp_path: Path) -> None:
    with pytest.raises(KidneyParsingError, match="log says why"):
        measure([sys.executable, "-c", "raise SystemExit('no memory')"], environment(), tmp_path / "log")
    assert (tmp_path / "log").read_text().strip() == "no memory"
