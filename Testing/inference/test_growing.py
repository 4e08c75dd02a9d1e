"""TuNet's algorithm 1, line by line (Vu et al. 2019, arXiv 1910.07521), on rows of voxels."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import apply_hysteresis_threshold

from KidneyParsingLib.inference.growing import finished, grown, refined, refined_tumor, refined_whole


def row(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, 1, -1)


def test_whole_grows_from_half_down_to_four_tenths() -> None:
    assert refined_whole(row(0.45, 0.6, 0.41, 0.39, 0.45, 0)).ravel().tolist() == [1, 1, 1, 0, 0, 0]


def test_a_whole_that_nowhere_reaches_half_is_all_above_a_tenth() -> None:
    assert refined_whole(row(0.5, 0.05, 0.11, 0.3)).ravel().tolist() == [1, 0, 1, 1]


def test_a_small_tumor_grows_down_to_two_tenths_and_a_large_one_to_three() -> None:
    whole = np.ones((1, 1, 400), bool)
    small = np.concatenate([np.full(99, 0.6), np.full(100, 0.25), np.zeros(201)]).reshape(1, 1, -1)
    large = np.concatenate([np.full(100, 0.6), np.full(100, 0.25), np.zeros(200)]).reshape(1, 1, -1)
    assert refined_tumor(small, whole).sum() == 199
    assert refined_tumor(large, whole).sum() == 100


def test_no_tumor_above_half_is_all_above_a_tenth_and_none_at_all_is_the_whole() -> None:
    whole = row(1, 1, 0) > 0
    assert refined_tumor(row(0.2, 0.05, 0.0), whole).ravel().tolist() == [1, 0, 0]
    assert refined_tumor(row(0.1, 0.05, 0.0), whole).ravel().tolist() == [1, 1, 0]
    assert not refined_tumor(row(0.1, 0.05, 0.0), whole, certain=False).any()


def test_tumor_outside_the_whole_is_dropped_when_merged() -> None:
    maps = np.stack([row(0.9, 0.9, 0.1), row(0.1, 0.9, 0.9)])
    whole, tumor = refined(maps)
    assert whole.ravel().tolist() == [1, 1, 0] and tumor.ravel().tolist() == [0, 1, 0]


@pytest.mark.parametrize("seed", range(3))
def test_growing_is_hysteresis_as_scikit_image_has_it(seed: int) -> None:
    probability = np.random.default_rng(seed).random((12, 13, 14)).astype(np.float32) ** 3
    # scikit-image joins by faces, we by corners too: make the voxels far enough apart for both to agree.
    probability[::2], probability[:, ::2] = 0, 0
    assert np.array_equal(grown(probability, 0.5, 0.3), apply_hysteresis_threshold(probability, 0.3, 0.5))


def test_the_mask_of_the_first_network_is_multiplied_after_growing() -> None:
    """What is above 1/2 lies outside the mask and what hangs on it inside: growing first keeps the inner part; the
    mask first would have left nothing above 1/2, and so all above 1/10."""
    whole, gate = row(0.6, 0.45, 0.2, 0.0), row(0, 1, 1, 1) > 0
    maps = finished(np.stack([whole, whole * 0]), gate[0], growing=True, certain=False)
    assert (maps[0] > 0.5).ravel().tolist() == [False, True, False, False]
    assert not (maps[1] > 0.5).any()


def test_without_growing_maps_are_multiplied_and_without_either_untouched() -> None:
    maps = np.stack([row(0.6, 0.7), row(0.2, 0.3)])
    assert finished(maps, None, growing=False) is maps
    assert finished(maps, row(0, 1)[0] > 0, growing=False).ravel() == pytest.approx([0, 0.7, 0, 0.3])
