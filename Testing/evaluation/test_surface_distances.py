"""HD, HD95 and AVD on shapes whose distances are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mask_shapes import ball, box

from KidneyParsingLib.evaluation.pairs import MaskPair
from KidneyParsingLib.evaluation.surfaces import SurfaceDistances, average_hausdorff, hausdorff, hausdorff_95

SHAPE, SPACING = (20, 24, 28), (2.5, 0.8, 0.7)
CUBE = box(SHAPE, (4, 5, 6), (10, 12, 14))
EMPTY = np.zeros(SHAPE, bool)
DISTANCE_METRICS = (hausdorff, hausdorff_95, average_hausdorff)


def distances(predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...] = SPACING) -> SurfaceDistances:
    return MaskPair(predicted, truth, spacing).surfaces


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_hd_of_a_cube_and_its_copy_further_on_is_the_way(axis: int) -> None:
    """The far face is 3 voxels from the other cube's, and no surface voxel is further from the other surface."""
    moved = np.roll(CUBE, 3, axis)
    assert hausdorff(distances(moved, CUBE)) == pytest.approx(3 * SPACING[axis])


def test_hd_of_two_balls_with_one_centre_is_the_difference_of_radii() -> None:
    """10 mm and 7 mm at 0.5 mm: 3 mm, but for a voxel's diagonal on either surface."""
    shape, spacing, center = (48, 48, 48), (0.5, 0.5, 0.5), (12, 12, 12)
    between = distances(ball(shape, spacing, center, 7), ball(shape, spacing, center, 10), spacing)
    voxel = 0.5 * math.sqrt(3)
    assert hausdorff(between) == pytest.approx(3, abs=voxel)
    assert average_hausdorff(between) == pytest.approx(3, abs=voxel / 2)


def test_metrics_of_single_voxels_by_hand() -> None:
    """Truth at x = 0; predicted at x = 0, 1, ..., 9 (1 mm). A row of voxels is all surface.

    From the prediction the distances are 0..9 mm: maximum 9, mean 4.5, 95th percentile 8.55; from the truth 0. HD 9,
    HD95 8.55, AVD (4.5 + 0) / 2 = 2.25.
    """
    truth, predicted = box((1, 1, 10), (0, 0, 0), (1, 1, 1)), np.ones((1, 1, 10), bool)
    between = distances(predicted, truth, (1, 1, 1))
    assert hausdorff(between) == pytest.approx(9)
    assert hausdorff_95(between) == pytest.approx(8.55)
    assert average_hausdorff(between) == pytest.approx(2.25)


@pytest.mark.parametrize("metric", DISTANCE_METRICS)
def test_equal_masks_are_at_no_distance_and_order_does_not_matter(metric: object) -> None:
    other = np.roll(CUBE, (1, 2, -3), (0, 1, 2))
    assert metric(distances(CUBE, CUBE)) == 0
    assert metric(distances(CUBE, other)) == pytest.approx(metric(distances(other, CUBE)))


@pytest.mark.parametrize("metric", DISTANCE_METRICS)
def test_one_empty_mask_is_infinitely_far_and_two_have_no_distance(metric: object) -> None:
    assert metric(distances(EMPTY, CUBE)) == math.inf == metric(distances(CUBE, EMPTY))
    assert math.isnan(metric(distances(EMPTY, EMPTY)))


def test_a_mask_ends_at_the_edge_of_the_array() -> None:
    """A mask that fills 5 x 5 x 5 mm has the outer voxels as surface: the corners are 2 sqrt(3) mm from the middle."""
    middle, full = box((5, 5, 5), (2, 2, 2), (3, 3, 3)), np.ones((5, 5, 5), bool)
    assert hausdorff(distances(middle, full, (1, 1, 1))) == pytest.approx(2 * math.sqrt(3))


def test_masks_of_different_shape_make_no_pair() -> None:
    with pytest.raises(ValueError, match="no pair"):
        MaskPair(CUBE, CUBE[1:], SPACING)
    with pytest.raises(ValueError, match="no pair"):
        MaskPair(CUBE, CUBE, (1, 1, 0))
