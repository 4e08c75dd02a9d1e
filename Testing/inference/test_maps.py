"""Scores from probability maps, and labels of classes, on worked examples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from KidneyParsingLib.inference.maps import forced, label_of_class, scores_of
from KidneyParsingLib.networks.configs import VESSEL_CLASSES, class_of_label, config

NESTED = config("boundary_stream", "tiny")
SOFTMAX = config("ba_net", "tiny")


def one_voxel(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("whole", "tumor", "winner"), [(0.6, 0.4, 1), (0.6, 0.6, 2), (0.4, 0.3, 0), (0.9, 0.51, 2), (0.99, 0.49, 1)]
)
def test_nested_maps_are_thresholded_at_one_half(whole: float, tumor: float, winner: int) -> None:
    assert scores_of(one_voxel(whole, tumor), NESTED).argmax(0).item() == winner


def test_sure_voxels_keep_finite_scores_in_half_precision() -> None:
    """float16 has nothing between 1 - 5e-4 and 1, where a logit would be infinite."""
    scores = scores_of(np.float16(one_voxel(1.0, 1.0)), NESTED)
    assert scores.dtype == np.float16 and np.isfinite(scores).all() and scores[2] > scores[1] > scores[0]


def test_nested_scores_by_hand() -> None:
    """Logits of 0.8 and 0.25 are ln 4 and -ln 3: scores 0, ln 4, ln 4/3."""
    assert scores_of(one_voxel(0.8, 0.25), NESTED).ravel() == pytest.approx([0, np.log(4), np.log(4 / 3)], abs=1e-5)


def test_softmax_scores_have_the_maps_order_and_are_finite_for_sure_maps() -> None:
    maps = one_voxel(0, 0, 1, 0, 0, 0, 0)
    scores = scores_of(maps, SOFTMAX)
    assert np.isfinite(scores).all() and scores.argmax() == 2


def test_forced_maps_follow_the_masks_and_change_nothing_that_agrees() -> None:
    maps = np.array([0.45, 0.45, 0.9, 0.9], np.float32).reshape(2, 1, 1, 2)
    masks = np.array([True, False, True, False]).reshape(2, 1, 1, 2)
    result = forced(maps, masks)
    assert np.array_equal(result > 0.5, masks)
    assert result[0, 0, 0, 1] == np.float32(0.45) and result[1, 0, 0, 0] == np.float32(0.9)


def test_labels_of_classes_are_those_of_the_anatomy() -> None:
    vessels = replace(SOFTMAX, classes=VESSEL_CLASSES)
    assert label_of_class(vessels).tolist() == [0, 3, 4, 5]
    assert label_of_class(SOFTMAX).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert label_of_class(NESTED).tolist() == [0, 1, 2]


def test_what_a_network_lacks_is_kidney_if_it_is_a_lesion_and_else_background() -> None:
    assert class_of_label(NESTED.classes) == [0, 1, 2, 0, 0, 0, 1]
    assert class_of_label(("background", "kidney")) == [0, 1, 1, 0, 0, 0, 1]
    assert class_of_label(VESSEL_CLASSES) == [0, 0, 0, 1, 2, 3, 0]
