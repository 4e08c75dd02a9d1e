"""Surface Dice and the areas behind it on shapes that can be counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mask_shapes import ball, box

from KidneyParsingLib.evaluation.element_areas import CORNERS, element_areas
from KidneyParsingLib.evaluation.pairs import MaskPair
from KidneyParsingLib.evaluation.surface_elements import surface_dice

SHAPE = (16, 18, 20)
CUBE = box(SHAPE, (3, 3, 3), (9, 9, 9))


def code_of(*corners: tuple[int, int, int]) -> int:
    return sum(1 << CORNERS.index(corner) for corner in corners)


def test_areas_by_hand() -> None:
    """Spacing 4, 3, 2 mm (z, y, x).

    One corner: a triangle between points 2, 1.5 and 1 mm from it along the axes; its area is half the root of the sum
    of squares of the products of two of them: sqrt((2*1.5)^2 + (2*1)^2 + (1.5*1)^2) / 2 = sqrt(15.25) / 2. The four
    corners of a face across z: as large as the face, 3 * 2 mm2. Two corners along z: a strip 4 mm long, as wide as the
    diagonal of 1.5 and 1 mm.
    """
    areas = element_areas((4, 3, 2))
    assert areas[code_of((0, 0, 0))] == pytest.approx(15.25**0.5 / 2)
    assert areas[code_of((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1))] == pytest.approx(6)
    assert areas[code_of((0, 0, 0), (1, 0, 0))] == pytest.approx(4 * 3.25**0.5)
    assert areas[0] == areas[255] == 0


def test_inside_and_outside_have_the_same_surface() -> None:
    areas = element_areas((1.3, 0.7, 2.1))
    assert areas == pytest.approx(areas[::-1])


def test_area_of_a_ball() -> None:
    """12 mm at 0.8 x 0.6 x 0.7 mm: 4 pi r2 = 1810 mm2. Pieces between voxels overrate slopes, in all by under 10 %."""
    spacing = (0.8, 0.6, 0.7)
    mask = ball((40, 50, 44), spacing, (15, 15, 15), 12)
    area = MaskPair(mask, mask, spacing).elements.truth_areas.sum()
    assert 1 < area / (4 * np.pi * 12**2) < 1.1


def test_surface_dice_of_a_cube_and_its_copy_further_on() -> None:
    """A cube of 6 voxels and its copy 2 mm further on along z (1 mm voxels).

    A cube's elements are the outer ones of 7 x 7 x 7 points: 6 * 25 on faces (1 mm2), 12 * 5 on edges (sqrt(1/2)), 8
    corners (sqrt(3)/8). By layers z = 0..6 that is: 40.008 in the first and the last (25 on the face, 15.008 round it),
    22.828 in each between; 194.16 in all. Of the first cube, the layers 2..5 and what is round the face in layer 6 lie
    on the other's walls: 106.32. With a tolerance of 1 mm layer 1 joins them, and the 16 points of the face next to the
    walls: 145.15. With 2 mm all do. For the second cube it is the same.
    """
    edge, corner = math.sqrt(1 / 2), math.sqrt(3) / 8
    ring, around = 20 + 4 * edge, 20 * edge + 4 * corner
    total = 2 * (25 + around) + 5 * ring
    pair = MaskPair(np.roll(CUBE, 2, 0), CUBE, (1, 1, 1))
    assert surface_dice(pair.elements, 0.0) == pytest.approx((4 * ring + around) / total)
    assert surface_dice(pair.elements, 1.0) == pytest.approx((5 * ring + around + 16) / total)
    assert surface_dice(pair.elements, 2.0) == 1.0


def test_a_distance_equal_to_the_tolerance_is_within_it() -> None:
    """Moved by 3 voxels of 0.7 mm, which in floating point is not 2.1."""
    pair = MaskPair(np.roll(CUBE, 3, 2), CUBE, (0.7, 0.7, 0.7))
    assert surface_dice(pair.elements, 2.1) == 1.0


def test_empty_masks() -> None:
    """As KiTS has it."""
    empty = np.zeros(SHAPE, bool)
    assert surface_dice(MaskPair(empty, empty, (1, 1, 1)).elements, 1.0) == 1.0
    assert surface_dice(MaskPair(CUBE, empty, (1, 1, 1)).elements, 1.0) == 0.0
    assert surface_dice(MaskPair(empty, CUBE, (1, 1, 1)).elements, 1.0) == 0.0
