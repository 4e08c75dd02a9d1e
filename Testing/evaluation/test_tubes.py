"""clDice and centreline recall on lines that can be counted."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from mask_shapes import box

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.evaluation.metrics import measure
from KidneyParsingLib.evaluation.pairs import MaskPair
from KidneyParsingLib.evaluation.targets import TARGETS
from KidneyParsingLib.evaluation.tubes import centerline_recall, skeleton

SHAPE = (9, 15, 25)
BAR = box(SHAPE, (4, 7, 2), (5, 8, 23))
UPRIGHT = box(SHAPE, (4, 3, 12), (5, 12, 13))


def of(metric: str, predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...] = (1, 1, 1)) -> float:
    return measure(metric, MaskPair(predicted, truth, spacing), TARGETS["artery"])


@pytest.fixture(autouse=True)
def skeletons() -> None:
    pytest.importorskip("skimage")


def test_cldice_of_a_cross_and_its_bar() -> None:
    """Lines one voxel wide are their own skeletons. Cross: a bar of 21 voxels and an upright of 9, one shared: 29.

    The bar lies in the cross wholly, 21 of the cross's 29 voxels in the bar: 2 * 1 * (21/29) / (1 + 21/29) = 42/50.
    """
    cross = BAR | UPRIGHT
    assert of("cldice", BAR, cross) == pytest.approx(42 / 50)
    assert of("cldice", cross, BAR) == pytest.approx(42 / 50)
    assert of("cldice", cross, cross) == 1.0


def test_cldice_does_not_mind_width() -> None:
    """A bar 5 voxels wide and its middle line: Dice is 2 * 21 / (21 + 525), clDice 1."""
    wide = box(SHAPE, (2, 5, 2), (7, 10, 23))
    assert of("dice", wide, BAR) == pytest.approx(42 / (21 + 525))
    assert of("cldice", wide, BAR) == 1.0


def test_skeleton_of_a_thick_tube_is_its_middle() -> None:
    line = np.argwhere(skeleton(box(SHAPE, (2, 5, 2), (7, 10, 23))))
    assert (line[:, :2] == (4, 7)).all() and len(line) >= 15


def test_centerline_recall_counts_what_lies_near() -> None:
    """Truth: 21 voxels along x. The prediction has its first 11 and, 2 voxels aside in y (0.9 mm each), the last 4.

    Within 2 mm: the 11, the next 2 (1 mm each along x: 1 and 2 mm), the 4, and those before the 4 at (dx, 1.8 mm) with
    dx = 0 only (1 mm beyond: 2.06 mm): 17 of 21. Within 1 mm: 11 + 1. Within 1.9 mm: 11 + 1 + 4.
    """
    predicted = box(SHAPE, (4, 7, 2), (5, 8, 13)) | box(SHAPE, (4, 9, 19), (5, 10, 23))
    for tolerance, found in ((2.0, 17), (1.0, 12), (1.9, 16)):
        assert centerline_recall(predicted, BAR, (3, 0.9, 1), tolerance) == pytest.approx(found / 21)
    assert of("centerline_recall", predicted, BAR, (3, 0.9, 1)) == pytest.approx(17 / 21)


def test_empty_masks() -> None:
    empty = np.zeros(SHAPE, bool)
    assert of("cldice", empty, empty) == 1.0
    assert of("cldice", BAR, empty) == 0.0 == of("cldice", empty, BAR)
    assert of("centerline_recall", empty, BAR) == 0.0
    assert math.isnan(of("centerline_recall", BAR, empty))


def test_without_scikit_image_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(InputError, match="pip install scikit-image matplotlib"):
        of("cldice", BAR, BAR)
