"""Sliding windows cover everything, overlap enough, and blending is a weighted mean."""

from __future__ import annotations

import numpy as np
import pytest

from KidneyParsingLib.inference.windows import blended, gaussian_weights, window_starts, windows


@pytest.mark.parametrize(
    ("length", "window", "overlap", "starts"),
    [
        (10, 16, 0.5, [0]),
        (16, 16, 0.5, [0]),
        (24, 16, 0.5, [0, 8]),
        (20, 16, 0.5, [0, 4]),
        # TuNet: 128 of 256 with an overlap of 96 are steps of 32.
        (256, 128, 0.75, [0, 32, 64, 96, 128]),
    ],
)
def test_starts(length: int, window: int, overlap: float, starts: list[int]) -> None:
    assert window_starts(length, window, overlap) == starts


def test_windows_cover_every_voxel() -> None:
    seen = np.zeros((21, 16, 9), int)
    for window in windows(seen.shape, (8, 8, 16)):
        seen[window] += 1
    assert seen.min() >= 1


def test_weights_are_largest_in_the_middle_and_never_vanish() -> None:
    weights = gaussian_weights((9, 9, 9))
    assert weights[4, 4, 4] == weights.max() == 1
    assert weights.min() == pytest.approx(0.01)
    assert np.allclose(weights, weights[::-1, ::-1, ::-1])


def test_blending_what_is_the_same_everywhere_gives_it_back() -> None:
    hu = np.random.default_rng(0).normal(0, 100, (20, 17, 30)).astype(np.float32)
    maps = blended(hu, 2, (8, 16, 8), lambda part: np.stack([part, -part]))
    assert np.allclose(maps[0], hu, atol=1e-3) and np.allclose(maps[1], -hu, atol=1e-3)


def test_a_blend_is_the_weighted_mean_of_two_windows() -> None:
    """Windows at 0 and 2 of 6 voxels that answer 1 and 3: a voxel that both see is (1 w1 + 3 w2) / (w1 + w2)."""
    answers = iter((1.0, 3.0))
    maps = blended(np.zeros((1, 1, 6), np.float32), 1, (1, 1, 4), lambda part: np.full((1, *part.shape), next(answers)))
    w = gaussian_weights((1, 1, 4))[0, 0]
    expected = [1, 1, (w[2] + 3 * w[0]) / (w[2] + w[0]), (w[3] + 3 * w[1]) / (w[3] + w[1]), 3, 3]
    assert maps[0, 0, 0] == pytest.approx(expected)
