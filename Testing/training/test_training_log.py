"""The log of a run goes on without a gap and without a step that is there twice."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from KidneyParsingLib.training.countdown import Countdown, duration
from KidneyParsingLib.training.training_log import TrainingLog
from KidneyParsingLib.training.validation import ValidationResult

RESULT = ValidationResult({"mean": 0.5, "kidney": 0.75, "tumor": 0.25}, np.full((6, 8, 3), 90, np.uint8))


def written(folder: Path, steps: range, resumed_at: int = 0) -> TrainingLog:
    """A log of these steps; every second one was validated."""
    folder.mkdir(exist_ok=True)
    log = TrainingLog(folder, resumed_at)
    for step in steps:
        log.add_step(step, 1 / step, 1e-3, 0.5)
        if step % 2 == 0:
            log.add_validation(step, RESULT)
    log.close()
    return log


@pytest.fixture
def no_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)


@pytest.mark.usefixtures("no_tensorboard")
def test_without_tensorboard_there_are_the_csv_files_alone(tmp_path: Path) -> None:
    assert not written(tmp_path, range(1, 3)).has_tensorboard
    assert (tmp_path / "log.csv").read_text() == "step,loss,rate,seconds\n1,1,0.001,0.500\n2,0.5,0.001,0.500\n"
    assert (tmp_path / "validation.csv").read_text() == "step,mean,kidney,tumor\n2,0.500000,0.750000,0.250000\n"
    assert {path.name for path in tmp_path.iterdir()} == {"log.csv", "validation.csv"}


@pytest.mark.usefixtures("no_tensorboard")
@pytest.mark.parametrize("cut_off", ["", "7", "7,0.14"])
def test_a_resumed_log_has_every_step_once(tmp_path: Path, cut_off: str) -> None:
    """Killed after step 6, perhaps while it wrote step 7; the checkpoint is of step 3."""
    written(tmp_path / "whole", range(1, 9))
    written(tmp_path / "parts", range(1, 7))
    with (tmp_path / "parts" / "log.csv").open("a") as file:
        file.write(cut_off)
    written(tmp_path / "parts", range(4, 9), resumed_at=3)
    for name in ("log.csv", "validation.csv"):
        assert (tmp_path / "parts" / name).read_text() == (tmp_path / "whole" / name).read_text()


@pytest.mark.usefixtures("no_tensorboard")
def test_a_run_killed_before_its_first_checkpoint_begins_its_log_anew(tmp_path: Path) -> None:
    written(tmp_path, range(1, 5))
    written(tmp_path, range(1, 2))
    assert (tmp_path / "log.csv").read_text() == "step,loss,rate,seconds\n1,1,0.001,0.500\n"
    assert not (tmp_path / "validation.csv").exists()


def test_tensorboard_has_curves_and_pictures_and_every_step_once(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert written(tmp_path, range(1, 7)).has_tensorboard
    written(tmp_path, range(4, 9), resumed_at=3)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    losses = events.Scalars("loss")
    assert [event.step for event in losses] == list(range(1, 9))
    assert [event.value for event in losses] == pytest.approx([1 / step for step in range(1, 9)])
    assert [event.step for event in events.Scalars("dice/tumor")] == [2, 4, 6, 8]
    picture = events.Images("truth and prediction")[-1]
    assert (picture.step, picture.height, picture.width) == (8, 6, 8)


def test_time_left_follows_the_mean_step_of_this_process() -> None:
    """Resumed at step 100 of 4300; 20 steps in 80 s leave 4180 steps of 4 s: 4.6 hours."""
    now = [1000.0]
    shown: list[tuple[float, str]] = []
    countdown = Countdown(lambda *what: shown.append(what), 100, 4300, clock=lambda: now[0])
    now[0] += 80
    countdown(120, 0.5123)
    assert shown == [(120 / 4300, "step 120 of 4300, loss 0.512, 4.6 h left")]


def test_progress_is_shown_once_a_second_and_at_the_end() -> None:
    now = [0.0]
    shown: list[float] = []
    countdown = Countdown(lambda fraction, text: shown.append(fraction), 0, 100, clock=lambda: now[0])
    for step in range(1, 101):
        now[0] += 0.09
        countdown(step, 1.0)
    assert 9 <= len(shown) <= 11 and shown[-1] == 1.0


def test_durations_in_words() -> None:
    assert [duration(seconds) for seconds in (0.4, 40, 720, 5000, 12600)] == [
        "0 s",
        "40 s",
        "12 min",
        "83 min",
        "3.5 h",
    ]
