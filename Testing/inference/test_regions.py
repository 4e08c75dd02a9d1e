"""Where is parsed below the kidneys, and what the locator forbids, on grids drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from KidneyParsingLib.anatomy import LEFT, RIGHT
from KidneyParsingLib.inference.cleanup import disfavour_other_organs
from KidneyParsingLib.inference.grid import Box, Grid
from KidneyParsingLib.inference.locate import (
    LOCATOR_CLASSES,
    LocatedKidney,
    Midline,
    eroded,
    location_of,
    other_organs,
)
from KidneyParsingLib.inference.regions import opposite, roi_box, ureter_box

GRID = Grid(np.array([-118.0, -98.0, 2.0]), (4.0, 4.0, 4.0), (40, 50, 60))
MIDLINE = Midline(np.array([0.0, 300.0]), np.array([5.0, 5.0]))


def kidney(side: str, low_z: float) -> LocatedKidney:
    x = -60.0 if side == RIGHT else 20.0
    return LocatedKidney(side, Box(np.array([x, 10.0, low_z]), np.array([x + 50, 60.0, low_z + 110])), 150.0)


def test_the_ureters_column_hangs_on_the_kidneys_boxes_and_reaches_the_pelvis() -> None:
    """Ureters leave the boxes 40 mm below each kidney; from the higher one on down the column takes over."""
    kidneys = [kidney(RIGHT, 300.0), kidney(LEFT, 330.0)]
    column = ureter_box(kidneys, MIDLINE)
    boxes = [roi_box(k, MIDLINE) for k in kidneys]
    assert all(column.high[2] > box.low[2] for box in boxes)
    assert column.low[2] < 300 - 200
    assert (column.low[0] + column.high[0]) / 2 == pytest.approx(5.0)
    assert column.low[1] < 35 < column.high[1]


def test_erosion_is_scipy_s() -> None:
    mask = np.random.default_rng(0).random((6, 7, 8)) < 0.8
    mask[2:5] = True
    longer = np.pad(mask, ((1, 1), (0, 0), (0, 0)), mode="edge")
    assert np.array_equal(eroded(mask), ndimage.binary_erosion(longer)[1:-1]) and eroded(mask).any()


def test_wide_regions_reach_further_before_behind_and_above() -> None:
    located = kidney(LEFT, 300.0)
    narrow, wide = (roi_box(located, MIDLINE, wide) for wide in (False, True))
    assert narrow.low.tolist() == [-25, -14, 260] and narrow.high.tolist() == [94, 84, 434]
    assert wide.low.tolist() == [-25, -26, 260] and wide.high.tolist() == [94, 96, 446]


def a_scan(**organs: tuple[slice, slice, slice]) -> np.ndarray:
    scores = np.full((len(LOCATOR_CLASSES), *GRID.size), -5.0, np.float32)
    scores[0] = 0
    for name, window in organs.items():
        scores[(LOCATOR_CLASSES.index(name), *window)] = 10
    return scores


def test_a_kidney_s_pole_at_the_end_of_a_scan_is_located() -> None:
    """12 mm of a kidney in the lowest slices, 19 ml, beside the whole other one."""
    scores = a_scan(spine=np.s_[:, 30:40, 27:33])
    for rows in (np.s_[:3, 22:32, 40:50], np.s_[:20, 22:32, 8:18]):
        scores[(LOCATOR_CLASSES.index("kidney"), *rows)] = 10
    location = location_of(scores, np.full(GRID.size, 40.0), GRID)
    assert {k.side for k in location.kidneys} == {RIGHT, LEFT}


def test_the_place_of_a_kidney_that_was_not_located_is_the_other_s_mirror_image() -> None:
    """The midline lies at 5 mm: what begins 25 mm left of it ends 25 mm right of it."""
    left = kidney(LEFT, 200.0)
    mirrored = opposite(left, MIDLINE)
    assert mirrored.side == RIGHT and opposite(mirrored, MIDLINE).box.low == pytest.approx(left.box.low)
    assert mirrored.box.high == pytest.approx([2 * 5.0 - 20.0, *left.box.high[1:]])


def test_other_organs_are_liver_and_spleen_without_their_surface() -> None:
    """A spleen of 10 x 10 x 10 voxels leaves 8 x 8 x 8; a kidney is none of them."""
    scores = a_scan(spleen=np.s_[10:20, 10:20, 40:50], kidney=np.s_[10:20, 25:35, 40:50])
    others = other_organs(scores)
    assert others.sum() == 8**3 and others[11:19, 11:19, 41:49].all()
    location = location_of(scores, np.full(GRID.size, 40.0), GRID)
    assert np.array_equal(location.others, others) and len(location.kidneys) == 1


def test_kidney_and_lesions_give_way_to_other_organs_and_vessels_stay() -> None:
    """Classes background, artery, kidney, tumor: within the spleen kidney and tumor win only where they are sure."""
    scores = np.zeros((4, 4, 4, 4), np.float32)
    scores[2:] = 3
    scores[1, 0, 0, 0] = 1
    scores[2, 1, 1, 1] = 9
    others = np.zeros((4, 4, 4), bool)
    others[:2] = True
    disfavour_other_organs(scores, np.array([0, 3, 1, 2]), others)
    winner = scores.argmax(0)
    assert winner[0, 0, 0] == 1 and winner[1, 1, 1] == 2 and (winner[:2] == 2).sum() == 1 and (winner[2:] == 2).all()


def test_a_pelvic_mass_is_no_kidney_where_there_is_one_below_the_liver() -> None:
    """Liver at the top of a tall scan; a kidney beside its lower end and a larger mass 240 mm further down. Alone, what
    lies in the pelvis is taken: kidneys may lie there."""
    tall = Grid(GRID.origin, GRID.spacing, (110, 50, 60))
    scores = np.full((len(LOCATOR_CLASSES), *tall.size), -5.0, np.float32)
    scores[0] = 0
    liver, organ = LOCATOR_CLASSES.index("liver"), LOCATOR_CLASSES.index("kidney")
    scores[(liver, *np.s_[90:108, 10:30, 2:20])] = 10
    scores[(organ, *np.s_[12:32, 20:38, 8:22])] = 10
    hu = np.full(tall.size, 40.0)
    (pelvic,) = location_of(scores, hu, tall).kidneys
    assert pelvic.box.center[2] < 120
    scores[(organ, *np.s_[76:92, 20:32, 8:20])] = 11
    (usual,) = location_of(scores, hu, tall).kidneys
    assert usual.box.center[2] > 300
