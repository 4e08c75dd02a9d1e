"""Progress is proportional to the expected time, and what a network took is what it is expected to take."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from KidneyParsingLib.inference.network_pass import PLAIN, PassPlan, View
from KidneyParsingLib.inference.speeds import expected_seconds, note_seconds
from KidneyParsingLib.inference.steps import Step, Steps
from KidneyParsingLib.networks.configs import config


def test_steps_share_the_fractions_by_their_seconds() -> None:
    seen: list[tuple[float, str]] = []
    steps = Steps(lambda f, p: seen.append((round(f, 6), p)), 0.1, 0.9, [Step("a", 3.0), Step("b", 1.0)])
    first = steps.next()
    first(0.5)
    steps.next()(1.0)
    assert seen == [(0.1, "a"), (0.4, "a"), (0.7, "b"), (0.9, "b")]


def test_steps_that_take_no_time_are_no_trouble() -> None:
    Steps(lambda fraction, phase: None, 0.0, 1.0, [Step("a", 0.0)]).next()(1.0)


@pytest.fixture
def predictor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setenv("KIDNEYPARSING_CACHE", str(tmp_path))
    return SimpleNamespace(config=config("ba_net", "tiny"), backend=SimpleNamespace(name="torch", device="cpu"))


def test_the_time_of_a_pass_is_expected_of_the_next_one_in_proportion(predictor: SimpleNamespace) -> None:
    note_seconds(predictor, 1_000_000, PassPlan(), 2.0)
    assert expected_seconds(predictor, 500_000, PassPlan()) == pytest.approx(1.0)
    assert expected_seconds(predictor, 500_000, PassPlan((*PLAIN, View(shift=4)))) == pytest.approx(2.0)
    assert expected_seconds(predictor, 500_000, PassPlan(windows=True, overlap=0.5)) == pytest.approx(8.0)


def test_a_network_that_never_ran_here_has_a_usual_speed(predictor: SimpleNamespace) -> None:
    assert 0.1 < expected_seconds(predictor, 1_000_000, PassPlan()) < 10
