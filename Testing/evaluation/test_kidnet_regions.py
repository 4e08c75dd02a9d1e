"""Kid-Net's regions and islands on drawn labels."""

from __future__ import annotations

import numpy as np
import pytest
from mask_shapes import box

from KidneyParsingLib.anatomy import structure
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.evaluation.overlap import dice_by_structure
from KidneyParsingLib.evaluation.regions import kidney_boxes, overlapping_islands, restricted, whole_roi

KIDNEY, TUMOR, ARTERY = (structure(name).label for name in ("kidney", "tumor", "artery"))
SHAPE = (12, 10, 40)


@pytest.fixture
def truth() -> np.ndarray:
    """Two kidneys (one with a tumor that sticks out), an aorta between them, all in slices 2..8."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[box(SHAPE, (3, 2, 2), (7, 7, 8))] = KIDNEY
    labels[box(SHAPE, (3, 2, 30), (7, 7, 36))] = KIDNEY
    labels[box(SHAPE, (4, 3, 36), (6, 5, 38))] = TUMOR
    labels[box(SHAPE, (2, 4, 19), (9, 6, 21))] = ARTERY
    labels[box(SHAPE, (5, 4, 7), (6, 5, 19))] = ARTERY
    return labels


def test_the_roi_is_the_slices_of_the_truth(truth: np.ndarray) -> None:
    inside = whole_roi(truth)
    assert inside[2:9].all() and not inside[:2].any() and not inside[9:].any()
    assert not whole_roi(np.zeros_like(truth)).any()


def test_a_box_round_each_kidney_with_its_tumor(truth: np.ndarray) -> None:
    expected = box(SHAPE, (3, 2, 2), (7, 7, 8)) | box(SHAPE, (3, 2, 30), (7, 7, 38))
    truth[0, 0, 0] = KIDNEY  # a speck has no box
    # The artery's voxel inside the right kidney's box does not part it from its box.
    assert (kidney_boxes(truth) == expected).all()
    with pytest.raises(InputError, match="no kidney"):
        kidney_boxes(np.zeros_like(truth))


def test_regions_take_the_aorta_out_of_the_score(truth: np.ndarray) -> None:
    """The prediction has the aorta, also in the 3 slices above, and misses the renal artery.

    Artery: 28 voxels of aorta and 12 of renal artery, one of them in the right kidney's box. Whole scan: 2 * 28 / (40 +
    40). ROI: 2 * 28 / (28 + 40). Kidney boxes: 1 true voxel, none found.
    """
    predicted = np.where(truth == ARTERY, 0, truth)
    predicted[box(SHAPE, (2, 4, 19), (12, 6, 21))] = ARTERY

    def artery(region: str) -> float:
        return dice_by_structure(*restricted(predicted, truth, region))["artery"]

    assert artery("scan") == pytest.approx(56 / 80)
    assert artery("roi") == pytest.approx(56 / 68)
    assert artery("kidneys") == 0.0


def test_only_islands_that_overlap_the_truth_count(truth: np.ndarray) -> None:
    """A voxel at a corner of a known island counts (26 neighbours); an island of its own does not, of any label."""
    predicted = truth.copy()
    predicted[9, 6, 21] = ARTERY
    predicted[0:2, 0:2, 12:14] = ARTERY
    predicted[0:2, 8:10, 0:3] = TUMOR
    kept, same = restricted(predicted, truth, known_islands=True)
    expected = truth.copy()
    expected[9, 6, 21] = ARTERY
    assert (kept == expected).all() and same is truth


def test_islands_of_nothing() -> None:
    empty, full = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    for predicted, truth in ((empty, full), (full, empty), (empty, empty)):
        assert not overlapping_islands(predicted, truth).any()
