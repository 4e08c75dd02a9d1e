"""Dice on examples counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from KidneyParsingLib.evaluation.metrics import dice, dice_by_structure


def test_dice_of_two_intervals() -> None:
    a, b = np.zeros(10, bool), np.zeros(10, bool)
    a[0:6], b[4:8] = True, True
    assert dice(a, b) == pytest.approx(2 * 2 / (6 + 4))


def test_dice_of_nothing_with_nothing_is_one_and_with_something_zero() -> None:
    nothing, something = np.zeros(4, bool), np.ones(4, bool)
    assert dice(nothing, nothing) == 1.0
    assert dice(nothing, something) == 0.0


def test_structures_not_in_the_truth_and_ignored_voxels_do_not_count() -> None:
    truth = np.array([1, 1, 2, 0])
    predicted = np.array([1, 2, 2, 3])
    assert dice_by_structure(predicted, truth) == pytest.approx({"kidney": 2 / 3, "tumor": 2 / 3})
    ignore = np.array([False, True, False, False])
    assert dice_by_structure(predicted, truth, ignore) == pytest.approx({"kidney": 1.0, "tumor": 1.0})
