"""Fields and masks against analytic shapes."""

from __future__ import annotations

import numpy as np
import pytest

from KidneyParsingLib.synthesis.fields import (
    closed,
    dilated,
    paint_tube,
    rotation,
    smooth_noise,
    spline_path,
    warp_labels,
)


def ball(size: int, radius: float) -> np.ndarray:
    z, y, x = np.ogrid[:size, :size, :size]
    middle = (size - 1) / 2
    return (z - middle) ** 2 + (y - middle) ** 2 + (x - middle) ** 2 <= radius**2


def test_a_straight_tube_has_the_volume_of_its_cylinder() -> None:
    mask = np.zeros((60, 40, 40), bool)
    paint_tube(mask, spline_path([np.array([10.0, 20, 20]), np.array([50.0, 20, 20])]), 5.3)
    cylinder_and_caps = np.pi * 5.3**2 * 40 + 4 / 3 * np.pi * 5.3**3
    assert mask.sum() == pytest.approx(cylinder_and_caps, rel=0.06)


def test_the_thinnest_tube_is_still_connected() -> None:
    mask = np.zeros((30, 30, 30), bool)
    paint_tube(mask, spline_path([np.array([3.0, 3, 3]), np.array([26.0, 20, 9])]), 0.1)
    assert mask.any((1, 2))[3:27].all()


def test_a_spline_path_goes_through_its_control_points_in_small_steps() -> None:
    points = [np.array(p, float) for p in ((0, 0, 0), (5, 9, 2), (12, 7, 8), (20, 20, 20))]
    path = spline_path(points)
    for point in points:
        assert np.linalg.norm(path - point, axis=1).min() < 0.6
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < 1.5


def test_dilating_a_ball_gives_the_larger_ball() -> None:
    assert dilated(ball(41, 8), 5).sum() == pytest.approx(4 / 3 * np.pi * 13**3, rel=0.08)


def test_closing_fills_a_gap_narrower_than_the_ball_and_keeps_the_outline() -> None:
    slab = np.zeros((30, 30, 30), bool)
    slab[10:20] = True
    with_gap = slab.copy()
    with_gap[:, :, 14:17] = False
    shut = closed(with_gap, 4)
    assert shut[12:18].all() and not shut[:10].any() and not shut[20:].any()
    assert np.array_equal(closed(ball(31, 9), 3), ball(31, 9))


def test_rotation_by_ninety_degrees_about_z_takes_y_to_x() -> None:
    turned = rotation(np.array([90.0, 0, 0])) @ np.array([0.0, 1, 0])
    assert np.abs(turned) == pytest.approx([0, 0, 1])


def test_warping_by_an_affine_scales_volumes_and_keeps_the_centre() -> None:
    rng = np.random.default_rng(0)
    labels = ball(41, 8).astype(np.uint8) * 7
    warped = warp_labels(labels, np.eye(3) / 1.5, (61, 61, 61), amplitude=0, cell=10, rng=rng)
    assert set(np.unique(warped)) == {0, 7}
    assert (warped == 7).sum() == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.03)
    assert np.argwhere(warped).mean(0) == pytest.approx([30, 30, 30], abs=0.1)


def test_smooth_noise_has_unit_variance_and_is_smooth() -> None:
    field = smooth_noise((40, 50, 60), 10, np.random.default_rng(1))
    assert field.shape == (40, 50, 60)
    assert field.std() == pytest.approx(1)
    assert np.abs(np.diff(field, axis=2)).mean() < 0.3
