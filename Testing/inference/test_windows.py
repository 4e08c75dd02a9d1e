"""Sliding windows cover everything, overlap enough, and blending is a weighted mean."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from KidneyParsingLib.inference.windows import blended_slabs, gaussian_weights, window_count, window_starts


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


def blended(hu: np.ndarray, size: tuple[int, ...], predict: Callable, overlap: float = 0.5) -> np.ndarray:
    """All slabs one on the other."""
    slabs = [(z, maps.copy()) for z, maps in blended_slabs(hu, size, predict, overlap)]
    assert [z.start for z, _ in slabs] == [0, *(z.stop for z, _ in slabs[:-1])] and slabs[-1][0].stop == len(hu)
    assert all(maps.shape[1] == z.stop - z.start for z, maps in slabs)
    return np.concatenate([maps for _, maps in slabs], 1)


def test_as_many_windows_are_predicted_as_are_counted_and_none_is_larger_than_wanted() -> None:
    seen = []
    blended(np.zeros((21, 16, 9), np.float32), (8, 8, 16), lambda part: seen.append(part.shape) or part[None])
    assert len(seen) == window_count((21, 16, 9), (8, 8, 16)) == 5 * 3
    assert set(seen) == {(8, 8, 9)}


def test_weights_are_largest_in_the_middle_and_never_vanish() -> None:
    weights = gaussian_weights((9, 9, 9))
    assert weights[4, 4, 4] == weights.max() == 1
    assert weights.min() == pytest.approx(0.01)
    assert np.allclose(weights, weights[::-1, ::-1, ::-1])


def test_blending_what_is_the_same_everywhere_gives_it_back() -> None:
    hu = np.random.default_rng(0).normal(0, 100, (20, 17, 30)).astype(np.float32)
    maps = blended(hu, (8, 16, 8), lambda part: np.stack([part, -part]))
    assert np.allclose(maps[0], hu, atol=1e-3) and np.allclose(maps[1], -hu, atol=1e-3)


def test_a_blend_is_the_weighted_mean_of_two_windows() -> None:
    """Windows at 0 and 2 of 6 voxels that answer 1 and 3: a voxel that both see is (1 w1 + 3 w2) / (w1 + w2)."""
    answers = iter((1.0, 3.0))
    maps = blended(np.zeros((1, 1, 6), np.float32), (1, 1, 4), lambda part: np.full((1, *part.shape), next(answers)))
    w = gaussian_weights((1, 1, 4))[0, 0]
    expected = [1, 1, (w[2] + 3 * w[0]) / (w[2] + w[0]), (w[3] + 3 * w[1]) / (w[3] + w[1]), 3, 3]
    assert maps[0, 0, 0] == pytest.approx(expected)


def test_slabs_are_the_blend_of_all_windows_at_once() -> None:
    """Against a plain loop that holds everything; the answer depends on where in a window a voxel lies."""
    size, shape = (8, 8, 8), (27, 13, 8)
    hu = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    ramp = np.arange(512, dtype=np.float32).reshape(size)

    def predict(part: np.ndarray) -> np.ndarray:
        return np.stack([part * ramp[: part.shape[0], : part.shape[1], : part.shape[2]]])

    total, weight = np.zeros(shape), np.zeros(shape)
    for z, y, x in product(*(window_starts(n, w) for n, w in zip(shape, size, strict=True))):
        at = (slice(z, z + 8), slice(y, y + 8), slice(x, x + 8))
        total[at] += predict(hu[at])[0] * gaussian_weights(size)
        weight[at] += gaussian_weights(size)
    assert blended(hu, size, predict)[0] == pytest.approx(total / weight, rel=1e-4, abs=1e-4)
