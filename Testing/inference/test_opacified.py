"""Ureters and arteries as contrast medium shows them, on tubes and balls of known size."""

from __future__ import annotations

import numpy as np
import pytest

from KidneyParsingLib.anatomy import structure
from KidneyParsingLib.inference.grid import Grid
from KidneyParsingLib.inference.opacified import follow_arteries, follow_urine

KIDNEY, TUMOR, ARTERY, VEIN, URETER = (structure(n).label for n in ("kidney", "tumor", "artery", "vein", "ureter"))
GRID = Grid(np.zeros(3), (1.0, 1.0, 1.0), (60, 50, 90))
Z, Y, X = np.mgrid[:60, :50, :90]
CENTERS = {"left": (30, 25, 22), "right": (30, 25, 68)}


def follow_contrast(labels: np.ndarray, hu: np.ndarray, grid: Grid) -> bool:
    """Both, so that neither spoils what the other has done."""
    follow_arteries(labels, hu, grid)
    return follow_urine(labels, hu, grid)


def ball(center: tuple[int, int, int], radius: float) -> np.ndarray:
    z, y, x = center
    return (Z - z) ** 2 + (Y - y) ** 2 + (X - x) ** 2 <= radius**2


def tube(y: int, x: int, radius: float, top: int = 60) -> np.ndarray:
    """A tube along z up to `top`."""
    return ((Y - y) ** 2 + (X - x) ** 2 <= radius**2) & (top > Z)


def a_patient(kidney_hu: float, artery_hu: float, vein_hu: float, noise: float = 10) -> tuple[np.ndarray, np.ndarray]:
    """Labels and HU (z, y, x) of fat with a kidney (14 mm), a thick artery and a vein."""
    labels, hu = np.zeros(GRID.size, np.uint8), np.full(GRID.size, -100.0)
    parts = ((ball(CENTERS["left"], 14), KIDNEY, kidney_hu), (tube(25, 44, 5), ARTERY, artery_hu),
             (tube(38, 44, 5), VEIN, vein_hu))  # fmt: skip
    for mask, label, value in parts:
        labels[mask], hu[mask] = label, value
    return labels, hu + np.random.default_rng(5).normal(0, noise, GRID.size)


def with_ureter(labels: np.ndarray, hu: np.ndarray, urine_hu: float, called: float) -> np.ndarray:
    """Puts in a ureter of 2 mm radius, of which a network has `called` so many mm ureter; the true one."""
    true = tube(8, 22, 2)
    hu[true] += urine_hu + 100
    labels[tube(8, 22, called)] = URETER
    return true


@pytest.mark.parametrize("called", [1.0, 4.0], ids=["too thin", "too thick"])
def test_a_ureter_full_of_contrast_medium_is_as_thick_as_that(called: float) -> None:
    labels, hu = a_patient(110, 120, 115)
    true = with_ureter(labels, hu, 500, called)
    follow_contrast(labels, hu, GRID)
    np.testing.assert_array_equal(labels == URETER, true)


def test_what_was_called_ureter_inside_the_kidney_becomes_kidney_and_outside_nothing() -> None:
    labels, hu = a_patient(110, 120, 115)
    calyx, called, beside = ball((30, 25, 22), 3), ball((30, 25, 22), 6), ball((30, 8, 22), 3)
    hu[calyx] = 500
    labels[called | beside] = URETER
    follow_contrast(labels, hu, GRID)
    np.testing.assert_array_equal(labels == URETER, calyx)
    assert (labels[called & ~calyx] == KIDNEY).all()
    assert not labels[beside].any()


def test_an_empty_ureter_far_from_anything_bright_stays() -> None:
    """A kidney that puts out no contrast medium, beside one that does."""
    labels, hu = a_patient(110, 120, 115)
    with_ureter(labels, hu, 500, 3)
    empty = tube(8, 70, 2)
    labels[empty] = URETER
    follow_contrast(labels, hu, GRID)
    assert (labels[empty] == URETER).all()


def test_a_ureter_is_followed_to_its_end_but_not_into_bone() -> None:
    """Of a ureter that ends at a bone a network has called the upper third."""
    labels, hu = a_patient(110, 120, 115)
    true, bone = tube(8, 22, 2), ball((0, 8, 30), 8)
    hu[true | bone] = 500
    labels[true & (Z >= 40)] = URETER
    follow_contrast(labels, hu, GRID)
    found = labels == URETER
    assert found[true & (Z >= 10)].all()
    assert not found[~true & ~bone].any()
    assert found[bone & ~true].mean() < 0.2


@pytest.mark.parametrize(
    ("blood_hu", "urine_hu", "stone_hu", "stone_mm"),
    [(110, 5, 5, 0), (150, 160, 160, 0), (35, 5, 900, 30), (150, 5, 900, 12)],
    ids=["portal", "early excretion", "stones without contrast", "stone in the portal phase"],
)
def test_ureters_stay_where_no_urine_is_bright(
    blood_hu: float, urine_hu: float, stone_hu: float, stone_mm: int
) -> None:
    labels, hu = a_patient(blood_hu, blood_hu, blood_hu)
    with_ureter(labels, hu, urine_hu, 4)
    hu[tube(8, 22, 4, top=stone_mm)] = stone_hu
    before = labels.copy()
    follow_contrast(labels, hu, GRID)
    np.testing.assert_array_equal(labels, before)


def branch() -> np.ndarray:
    """A branch of 1 mm radius from the artery into the left kidney."""
    return ((Z - 30) ** 2 + (Y - 25) ** 2 <= 1) & (X > 16) & (X < 44)


def test_a_bright_branch_is_followed_into_the_kidney() -> None:
    labels, hu = a_patient(150, 350, 120)
    hu[branch()] = 350
    before = labels.copy()
    follow_contrast(labels, hu, GRID)
    assert (labels[branch()] == ARTERY).all()
    np.testing.assert_array_equal(labels[~branch()], before[~branch()])


def test_what_is_thick_apart_or_a_tumor_is_no_artery() -> None:
    """Bowel or cortex that touches the artery, a rib beside the kidney, a bright tumor."""
    labels, hu = a_patient(150, 350, 120)
    thick, rib, tumor = ball((46, 25, 36), 6), tube(25, 5, 2), ball((20, 16, 22), 4)
    hu[branch() | thick | rib | tumor] = 350
    labels[tumor] = TUMOR
    follow_contrast(labels, hu, GRID)
    grown = labels == ARTERY
    assert grown[branch()].all()
    assert not grown[rib | (thick & (X < 39))].any()
    assert (labels[tumor] == TUMOR).all()


@pytest.mark.parametrize(
    ("kidney_hu", "artery_hu", "vein_hu"), [(150, 160, 150), (200, 225, 120), (60, 160, 155)],
    ids=["portal", "cortex nearly as bright", "veins as bright"],
)  # fmt: skip
def test_arteries_stay_where_they_are_not_the_brightest(kidney_hu: float, artery_hu: float, vein_hu: float) -> None:
    labels, hu = a_patient(kidney_hu, artery_hu, vein_hu)
    hu[branch()] = artery_hu
    before = labels.copy()
    follow_contrast(labels, hu, GRID)
    np.testing.assert_array_equal(labels, before)


def test_cortex_as_bright_as_the_arteries_is_none() -> None:
    labels, hu = a_patient(150, 350, 120)
    hu[branch() | (ball(CENTERS["left"], 14) & ~ball(CENTERS["left"], 12))] = 340
    before = labels.copy()
    follow_contrast(labels, hu, GRID)
    np.testing.assert_array_equal(labels, before)


def test_a_bright_kidney_does_not_hide_the_branches_of_the_other_one() -> None:
    labels, hu = a_patient(150, 350, 120)
    hu[branch()] = 350
    other = ball(CENTERS["right"], 14)
    labels[other], hu[other] = KIDNEY, 345
    follow_contrast(labels, hu, GRID)
    assert (labels[branch()] == ARTERY).all()
    assert (labels[other] == KIDNEY).all()


def test_spacing_is_that_of_the_scan() -> None:
    """The same patient with voxels of 2 mm across: reach and thickness are in mm."""
    labels, hu = a_patient(110, 120, 115)
    true = with_ureter(labels, hu, 500, 4)
    coarse = Grid(np.zeros(3), (2.0, 1.0, 1.0), (30, 50, 90))
    part = labels[::2].copy()
    follow_contrast(part, hu[::2], coarse)
    np.testing.assert_array_equal(part == URETER, true[::2])


def test_a_blocked_kidney_that_stays_bright_is_no_urine() -> None:
    """Its nephrogram is as bright as half of the other one's urine; its own urine is dark."""
    labels, hu = a_patient(150, 130, 125)
    with_ureter(labels, hu, 400, 3)
    other, pelvis = ball(CENTERS["right"], 14), ball(CENTERS["right"], 4)
    labels[other], hu[other] = KIDNEY, 250 + hu[other] + 100
    labels[pelvis], hu[pelvis] = URETER, 5
    follow_contrast(labels, hu, GRID)
    assert (labels[pelvis] == URETER).all()
    assert (labels[other & ~pelvis] == KIDNEY).all()


def test_a_ureter_aslant_through_thick_slices_is_followed() -> None:
    """0.8 mm sideways for each mm down, in slices of 5 mm."""
    labels, hu = a_patient(110, 120, 115)
    coarse = Grid(np.zeros(3), (5.0, 1.0, 1.0), (60, 50, 90))
    labels[tube(25, 44, 5) | tube(38, 44, 5)] = 0
    true = (Y - 8) ** 2 + (X - 80 + 4 * (Z - 20)) ** 2 <= 9
    true &= (Z >= 20) & (Z < 38)
    hu[true] = 500
    labels[true & (Z >= 32)] = URETER
    follow_contrast(labels, hu, coarse)
    assert (labels[true] == URETER).mean() > 0.95


def test_without_kidneys_nothing_changes() -> None:
    labels, hu = a_patient(110, 120, 115)
    with_ureter(labels, hu, 500, 4)
    labels[labels == KIDNEY] = 0
    before = labels.copy()
    assert not follow_contrast(labels, hu, GRID)
    np.testing.assert_array_equal(labels, before)


def test_nothing_called_anything_is_left_alone() -> None:
    labels = np.zeros((0, 0, 0), np.uint8)
    assert not follow_contrast(labels, np.zeros((0, 0, 0)), Grid(np.zeros(3), (1.0, 1.0, 1.0), (0, 0, 0)))
