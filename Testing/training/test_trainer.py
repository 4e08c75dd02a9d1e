"""The trainer learns, validates, and goes on after a stop as if there had been none."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_run import Cubes, toy_network, toy_trainer

import KidneyParsingLib
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks.checkpoint import load_tensors
from KidneyParsingLib.training.plan import TrainingPlan
from KidneyParsingLib.training.trainer import Trainer
from KidneyParsingLib.training.validation import ValidationResult

PLATEAU = {"schedule": "plateau", "validate_every": 2, "patience": 2, "stop_after": 50}


def column(folder: Path, name: str, file: str = "log.csv") -> list[float]:
    with (folder / file).open() as rows:
        return [float(row[name]) for row in csv.DictReader(rows)]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_tensors(folder / "checkpoint.safetensors")[0]


def assert_equal_runs(one: Path, two: Path) -> None:
    """Network, loss and optimizer bit for bit, schedule and log."""
    (a, a_notes), (b, b_notes) = (load_tensors(f / "checkpoint.safetensors") for f in (one, two))
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    assert a_notes == b_notes
    for name in ("step", "loss", "rate"):
        assert column(one, name) == column(two, name)


def stop_after(trainer: Trainer, steps: int) -> None:
    """Runs some steps and saves, as if the checkpoint's time had come, then leaves the run."""

    class Stop(Exception):
        pass

    def show(fraction: float, text: str) -> None:
        if trainer.step == steps and "validating" not in text:
            raise Stop

    trainer._show = show
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("KidneyParsingLib.training.countdown._SECONDS_BETWEEN", 0.0)
        with pytest.raises(Stop):
            trainer.run()
    trainer.save()


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_loss_falls(tmp_path: Path, optimizer: str) -> None:
    toy_trainer(tmp_path, {"steps": 60, "optimizer": optimizer}).run()
    curve = column(tmp_path, "loss")
    assert len(curve) == 60
    assert sum(curve[-5:]) < 0.8 * sum(curve[:5])


@pytest.mark.parametrize(
    "plan",
    [{}, {"optimizer": "sgd"}, {"optimizer": "adam"}, {"batch": 2, "workers": 1}, PLATEAU, {"mixed": True}],
    ids=["adamw", "sgd", "adam", "batch", "plateau", "mixed"],
)
def test_a_stopped_run_goes_on_bit_identically(tmp_path: Path, plan: dict) -> None:
    toy_trainer(tmp_path / "whole", plan).run()
    stop_after(toy_trainer(tmp_path / "parts", plan), 3)
    second = toy_trainer(tmp_path / "parts", plan)
    assert second.step == 3
    second.run()
    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")


def test_float16_steps_go_on_with_their_loss_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scale begins at 65536; a gradient that is infinite halves it."""
    monkeypatch.setattr("KidneyParsingLib.training.trainer.half_type", lambda device: torch.float16)
    first = toy_trainer(tmp_path, {"mixed": True})
    batch = {name: value[None] for name, value in Cubes(1)[0].items()}
    first._train_step(first.network, batch, rate=1e-3)
    before = [p.clone() for p in first.network.parameters()]
    first._train_step(first.network, batch | {"image": batch["image"] * float("inf")}, rate=1e-3)
    assert all(torch.equal(a, b) for a, b in zip(before, first.network.parameters(), strict=True))
    first.save()
    assert toy_trainer(tmp_path, {"mixed": True})._state.scaler.get_scale() == 65536 / 2


def test_a_killed_run_goes_on_bit_identically(tmp_path: Path) -> None:
    """SIGKILL while the process waits for its 40th sample; the last checkpoint is some steps older."""
    plan = {"steps": 50, "checkpoint_seconds": 0.02, **PLATEAU}
    argument = json.dumps({"folders": [str(tmp_path / "killed")], "plan": plan, "hang_at": 40})
    path = os.pathsep.join([str(Path(KidneyParsingLib.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    program = [sys.executable, str(Path(__file__).with_name("toy_run.py")), argument]
    process = subprocess.Popen(program, env={**os.environ, "PYTHONPATH": path})
    log, checkpoint = tmp_path / "killed" / "log.csv", tmp_path / "killed" / "checkpoint.safetensors"
    try:
        deadline = time.monotonic() + 120
        while not (checkpoint.exists() and len(log.read_text().splitlines()) == 41):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    second = toy_trainer(tmp_path / "killed", plan)
    assert 0 < second.step <= 40
    second.run()
    toy_trainer(tmp_path / "whole", plan).run()
    assert_equal_runs(tmp_path / "whole", tmp_path / "killed")
    assert column(tmp_path / "killed", "step", "validation.csv") == [*range(2, 51, 2)]
    assert len(set(column(tmp_path / "killed", "rate"))) > 2  # the schedule did reduce it


def test_the_state_of_the_loss_is_in_the_checkpoint(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, {})
    trainer.run()
    assert torch.equal(weights(tmp_path)["loss.shares"], trainer._state.loss.shares)
    assert not torch.equal(trainer._state.loss.shares, torch.tensor([0.5, 0.5]))


def test_the_optimizer_keeps_the_memory_layout_of_the_weights(tmp_path: Path) -> None:
    toy_trainer(tmp_path, {"steps": 1}).run()
    again = toy_trainer(tmp_path, {"steps": 1})
    moments = again._state.optimizer.state[next(again.network.parameters())]
    assert moments["exp_avg"].is_contiguous(memory_format=torch.channels_last_3d)


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    toy_trainer(tmp_path, {"steps": 2}).run()
    again = toy_trainer(tmp_path, {"steps": 2})
    again.run()
    assert again.step == 2 and column(tmp_path, "step") == [1, 2]


def test_the_network_of_the_best_validation_is_kept(tmp_path: Path) -> None:
    """Scores 0.4, 0.7, 0.6, the last one after the last step: the network after step 4 is the best."""
    scores, seen = iter([0.4, 0.7, 0.6]), []

    def validation(network: torch.nn.Module) -> ValidationResult:
        seen.append(next(network.parameters()).detach().clone())
        return ValidationResult({"mean": next(scores)})

    plan = TrainingPlan(steps=5, mixed=False, workers=0, validate_every=2)
    trainer = toy_trainer(tmp_path, {})
    Trainer(trainer.network, trainer._state.loss, Cubes(5), plan, tmp_path, "toy", validation).run()
    assert column(tmp_path, "step", "validation.csv") == [2, 4, 5]
    tensors, notes = load_tensors(tmp_path / "best.safetensors")
    assert torch.equal(tensors["network.0.weight"], seen[1])
    assert notes["step"] == "4" and json.loads(notes["score"]) == 0.7


def test_the_plateau_schedule_ends_a_run_for_good(tmp_path: Path) -> None:
    """A score that never changes: the first validation is the best one, the third after it the last one."""
    plan = TrainingPlan(
        steps=40, mixed=False, workers=0, validate_every=2, schedule="plateau", patience=2, stop_after=3
    )

    def make() -> Trainer:
        constant = ValidationResult({"mean": 0.5})
        loss = toy_trainer(tmp_path / "other", {})._state.loss
        return Trainer(toy_network(), loss, Cubes(40), plan, tmp_path, "toy", lambda network: constant)

    make().run()
    assert column(tmp_path, "rate") == pytest.approx([1e-3] * 6 + [2e-4] * 2)
    again = make()
    assert again.finished
    again.run()
    assert again.step == 8


def test_progress_says_step_loss_and_time_left(tmp_path: Path) -> None:
    shown: list[tuple[float, str]] = []
    toy_trainer(tmp_path, {"steps": 4}, show=lambda fraction, text: shown.append((fraction, text))).run()
    loss = column(tmp_path, "loss")[-1]
    assert shown[-1] == (1.0, f"step 4 of 4, loss {loss:.3f}, 0 s left")
    assert [fraction for fraction, _ in shown] == sorted(fraction for fraction, _ in shown)


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = toy_trainer(tmp_path, {"steps": 2})
    trainer.run()
    before = trainer.checkpoint_path.read_bytes()

    def fail(tensors: dict, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("KidneyParsingLib.networks.checkpoint.save_file", fail)
    with pytest.raises(OSError):
        trainer.save()
    assert trainer.checkpoint_path.read_bytes() == before


def test_the_run_of_another_model_or_plan_is_not_gone_on_with(tmp_path: Path) -> None:
    plan = TrainingPlan(steps=1, mixed=False, workers=0)
    first = toy_trainer(tmp_path / "x", {})
    loss = first._state.loss
    Trainer(first.network, loss, Cubes(1), plan, tmp_path, "one").run()
    with pytest.raises(InputError, match="another model"):
        Trainer(toy_network(), loss, Cubes(1), plan, tmp_path, "two")
    with pytest.raises(InputError, match="another model"):
        Trainer(torch.nn.Conv3d(1, 2, 1), loss, Cubes(1), plan, tmp_path, "one")
    with pytest.raises(InputError, match=r"rate 0\.001, not 0\.5"):
        Trainer(toy_network(), loss, Cubes(1), replace(plan, rate=0.5), tmp_path, "one")
    with pytest.raises(InputError, match=r"real_share None, not 0\.3"):
        Trainer(toy_network(), loss, Cubes(1), replace(plan, real_share=0.3), tmp_path, "one")
    Trainer(toy_network(), loss, Cubes(1), replace(plan, workers=1, checkpoint_seconds=1), tmp_path, "one")


def test_a_sample_that_is_not_finite_does_not_ruin_the_weights(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, {})
    batch = {name: value[None] for name, value in Cubes(1)[0].items()}
    before = [p.clone() for p in trainer.network.parameters()]
    trainer._train_step(trainer.network, batch | {"image": batch["image"] * float("nan")}, rate=1e-3)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.network.parameters(), strict=True))


def test_a_plan_with_validation_needs_something_to_validate_on(tmp_path: Path) -> None:
    plan = TrainingPlan(steps=1, validate_every=1)
    with pytest.raises(InputError, match="no cases"):
        Trainer(toy_network(), torch.nn.Identity(), Cubes(1), plan, tmp_path)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"optimizer": "lion"}, "adamw, adam, sgd"),
        ({"schedule": "cosine"}, "poly, plateau"),
        ({"steps": 0}, "steps"),
        ({"batch": 0}, "batch"),
        ({"workers": -1}, "workers"),
        ({"schedule": "plateau"}, "validate_every"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(values: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        TrainingPlan(**{"steps": 1, **values})
