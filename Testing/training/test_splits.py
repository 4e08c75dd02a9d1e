"""Cross-validation's parts are disjoint and complete, and the same for everybody."""

from __future__ import annotations

from itertools import pairwise

import pytest

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.training.splits import k_fold

NAMES = [f"case_{number:05}" for number in range(70)]


@pytest.mark.parametrize(("count", "folds"), [(70, 4), (70, 5), (7, 3), (5, 5)])
def test_every_case_validates_once_and_trains_otherwise(count: int, folds: int) -> None:
    names = NAMES[:count]
    splits = k_fold(names, folds)
    assert len(splits) == folds
    assert sorted(name for _, validation in splits for name in validation) == names
    for training, validation in splits:
        assert sorted(training + validation) == names and not set(training) & set(validation)
    sizes = [len(validation) for _, validation in splits]
    assert max(sizes) - min(sizes) <= 1


def test_a_split_depends_on_names_and_seed_alone() -> None:
    assert k_fold(reversed(NAMES), 5) == k_fold(NAMES, 5)
    assert k_fold(NAMES, 5, seed=1) != k_fold(NAMES, 5)


def test_folds_are_drawn_and_not_cut_in_the_order_of_names() -> None:
    """Neighbours in a data set are often alike; a fold of 14 of 70 has about three pairs of neighbours, not 13."""
    for _, validation in k_fold(NAMES, 5):
        numbers = [int(name[-5:]) for name in validation]
        assert sum(b - a == 1 for a, b in pairwise(numbers)) < 8


def test_the_split_of_four_cases_does_not_change_between_versions() -> None:
    """SHA256 of "0/a" begins with d3, "0/b" 7d, "0/c" 28, "0/d" 9d (sha256sum): the order is c, b, d, a."""
    assert k_fold(["a", "b", "c", "d"], 2) == [(["a", "b"], ["c", "d"]), (["c", "d"], ["a", "b"])]


@pytest.mark.parametrize(
    ("names", "folds", "words"),
    [(["a", "b"], 3, "2 cases"), (["a", "b"], 1, "nothing to train on"), (["a", "a", "b"], 2, "same name")],
)
def test_impossible_splits_are_refused(names: list[str], folds: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        k_fold(names, folds)
