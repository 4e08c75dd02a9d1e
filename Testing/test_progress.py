"""Time left and time spent, against runs whose pace is known because the clock is made."""

from __future__ import annotations

import numpy as np
import pytest

from KidneyParsingLib.progress import PhaseTimes, TimeLeft


class MadeClock:
    """Stands still until it is told to go on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> MadeClock:
    return MadeClock()


def times_left(clock: MadeClock, moments: np.ndarray, fractions: np.ndarray) -> list[float | None]:
    """What is said at each moment (seconds from now)."""
    time_left, start = TimeLeft(clock), clock.now
    answers = []
    for moment, fraction in zip(moments, fractions, strict=True):
        clock.now = start + moment
        answers.append(time_left.seconds(fraction))
    return answers


def test_even_pace_is_counted_down_exactly(clock: MadeClock) -> None:
    moments = np.linspace(0, 20, 201)
    answers = times_left(clock, moments, moments / 20)
    # Less than a second is too little to measure.
    assert answers[:10] == [None] * 10 and None not in answers[10:]
    np.testing.assert_allclose(answers[10:], 20 - moments[10:], atol=1e-6)


def test_wait_before_the_first_rise_does_not_count(clock: MadeClock) -> None:
    moments = np.arange(0, 41.0)
    fractions = np.maximum(moments - 30, 0) / 10
    answers = times_left(clock, moments, fractions)
    assert answers[:31] == [None] * 31
    np.testing.assert_allclose(answers[31:], 40 - moments[31:], atol=1e-6)


def test_it_begins_anywhere(clock: MadeClock) -> None:
    moments = np.arange(0, 11.0)
    answers = times_left(clock, moments, 0.5 + moments / 20)
    np.testing.assert_allclose(answers[1:], 10 - moments[1:], atol=1e-6)


def test_other_pace_is_followed(clock: MadeClock) -> None:
    # 10 s for the first half, 40 s for the second.
    fractions = np.linspace(0, 1, 201)
    moments = np.where(fractions <= 0.5, fractions * 20, 10 + (fractions - 0.5) * 80)
    answers = np.array(times_left(clock, moments, fractions)[50:], float)
    truth = (50 - moments)[50:]
    late = fractions[50:] > 0.85
    assert np.abs(answers - truth)[late].max() < 0.35 * truth[late].max() and answers[-1] == 0
    by_mean_pace = (moments / np.maximum(fractions, 1e-9) * (1 - fractions))[50:]
    assert np.abs(answers - truth)[late].max() < np.abs(by_mean_pace - truth)[late].max()


def test_uneven_steps_hardly_ever_let_it_rise(clock: MadeClock) -> None:
    steps = np.random.default_rng(1).uniform(0.02, 0.18, 400)
    moments = np.concatenate([[0], np.cumsum(steps)])
    answers = np.array(times_left(clock, moments, np.linspace(0, 1, 401))[20:], float)
    assert answers.min() >= 0 and answers[-1] == 0
    assert (np.diff(answers) > 0).sum() <= 2
    assert np.abs(answers - (moments[-1] - moments[20:])).max() < 0.25 * moments[-1]


def test_no_rise_no_news(clock: MadeClock) -> None:
    answers = times_left(clock, np.array([0, 2, 4, 9, 9.5]), np.array([0, 0.2, 0.4, 0.4, 0.3]))
    assert answers == pytest.approx([None, 8, 6, 6, 6])


def test_seconds_of_every_phase(clock: MadeClock) -> None:
    times = PhaseTimes(clock)
    clock.now += 3
    for phase, seconds in [("Reading", 1), ("Parsing region 1 of 2", 2), ("Parsing region 2 of 2", 4), ("Reading", 8)]:
        times.enter(phase)
        clock.now += seconds
    assert list(times.seconds().items()) == [("Reading", 9), ("Parsing", 6)]
    clock.now += 1
    assert times.seconds()["Reading"] == 10
