"""Optimizers and learning rates against worked examples."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from KidneyParsingLib.training.optimization import Schedule, make_optimizer
from KidneyParsingLib.training.plan import TrainingPlan


@pytest.mark.parametrize(
    ("optimizer", "decay", "expected"),
    [("sgd", None, 3e-5), ("adam", None, 0.0), ("adamw", None, 1e-2), ("adam", 1e-5, 1e-5), ("adamw", 0.0, 0.0)],
)
def test_weight_decay_is_the_usual_one_unless_given(optimizer: str, decay: float | None, expected: float) -> None:
    plan = TrainingPlan(steps=1, optimizer=optimizer, weight_decay=decay)
    assert make_optimizer([nn.Parameter(torch.ones(1))], plan).param_groups[0]["weight_decay"] == expected


def test_two_steps_of_sgd_by_hand() -> None:
    """Nesterov momentum 0.99, no decay, rate 0.1, gradient always 1: v = 1, then 1.99; a step is 0.1 (1 + 0.99 v)."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = make_optimizer([weight], TrainingPlan(steps=2, optimizer="sgd", rate=0.1, weight_decay=0.0))
    for _ in range(2):
        weight.grad = torch.ones(1)
        optimizer.step()
    assert weight.item() == pytest.approx(-0.1 * (1 + 0.99 * 1) - 0.1 * (1 + 0.99 * 1.99))


def test_poly_rate_by_hand() -> None:
    schedule = Schedule(TrainingPlan(steps=10, rate=0.01))
    assert [schedule.rate(step) for step in (0, 5, 10)] == pytest.approx([0.01, 0.01 * 0.5**0.9, 0])


def test_constant_rate_does_not_change() -> None:
    schedule = Schedule(TrainingPlan(steps=10, rate=0.01, schedule="constant"))
    assert not schedule.validated(float("nan")) and {schedule.rate(step) for step in (0, 5, 10)} == {0.01}


def test_plateau_rate_of_tunet() -> None:
    """One good score, then none: times 0.2 after 6 and 12 validations, the end after 15."""
    schedule = Schedule(TrainingPlan(steps=100, rate=1e-4, schedule="plateau", validate_every=1))
    assert schedule.validated(0.5)
    rates = []
    while not schedule.ended:
        assert not schedule.validated(0.5)
        rates.append(schedule.rate(0))
    assert rates == pytest.approx([1e-4] * 5 + [2e-5] * 6 + [4e-6] * 4)


def test_a_better_score_resets_the_patience_and_one_that_is_not_a_number_is_no_score() -> None:
    schedule = Schedule(TrainingPlan(steps=100, schedule="plateau", patience=2, validate_every=1))
    assert [schedule.validated(score) for score in (math.nan, 0.1, 0.1, 0.2, math.nan, 0.2)] == [
        False, True, False, True, False, False
    ]  # fmt: skip
    assert schedule.rate(0) == pytest.approx(1e-3 * 0.2)


def test_the_poly_schedule_never_ends_early() -> None:
    schedule = Schedule(TrainingPlan(steps=100, patience=1, stop_after=1))
    schedule.validated(0.5)
    schedule.validated(0.4)
    assert not schedule.ended and schedule.rate(0) == 1e-3
