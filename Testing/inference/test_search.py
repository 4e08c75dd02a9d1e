"""When the locator is doubted, and that the whole scan is parsed then; what leaves its region is looked for again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import stub_networks as parts

from KidneyParsingLib.anatomy import LEFT, RIGHT
from KidneyParsingLib.evaluation.metrics import dice
from KidneyParsingLib.inference.grid import Box, Grid
from KidneyParsingLib.inference.locate import LocatedKidney, doubt_about
from KidneyParsingLib.inference.regions import is_cut
from KidneyParsingLib.inference.systems import LOCATOR
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.volumes.volume import LabelMap, Volume


def located(x: float, ml: float, threshold: float = 0.95) -> LocatedKidney:
    low = np.array([x, 0.0, 0.0])
    return LocatedKidney(RIGHT if x < 0 else LEFT, Box(low, low + 60.0), ml, threshold)


PAIR = [located(-100, 90), located(40, 110)]


@pytest.mark.parametrize(
    ("kidneys", "candidates", "words"),
    [
        (PAIR, PAIR, ""),
        (PAIR[:1], PAIR[:1], ""),
        ([], [], "no kidney"),
        ([located(-100, 8)], [], "unlikely size"),
        ([located(-100, 1800)], [], "unlikely size"),
        (PAIR, [*PAIR, located(-200, 100)], "more than two"),
        (PAIR, [*PAIR, located(-200, 20)], ""),
        (PAIR, [*PAIR, located(-200, 100, threshold=0.5)], ""),
        (PAIR, [*PAIR, located(-90, 100)], ""),
    ],
)
def test_doubts_are_no_kidney_unlikely_sizes_and_a_third_as_good(kidneys: list, candidates: list, words: str) -> None:
    doubt = doubt_about(kidneys, candidates)
    assert words in doubt and bool(doubt) == bool(words)


GRID = Grid(np.zeros(3), (2.0, 2.0, 2.0), (40, 40, 40))
SEEN = np.zeros(GRID.size, bool)
SEEN[10:30, 5:35, 5:35] = True


@pytest.mark.parametrize(
    ("scan", "organ", "cut"),
    [
        (Box(np.full(3, -200.0), np.full(3, 200.0)), np.s_[15:25, 10:20, 10:20], False),
        (Box(np.full(3, -200.0), np.full(3, 200.0)), np.s_[15:30, 10:20, 10:20], True),
        (Box(np.full(3, -200.0), np.full(3, 200.0)), np.s_[15:30, 10:13, 10:13], False),
        # The scan ends there too.
        (Box(np.full(3, -200.0), np.array([200.0, 200.0, 60.0])), np.s_[15:30, 10:20, 10:20], False),
        (Box(np.array([-200.0, -200.0, 18.0]), np.full(3, 200.0)), np.s_[10:20, 10:20, 10:20], False),
        (Box(np.full(3, -200.0), np.full(3, 200.0)), np.s_[15:25, 10:20, 5:20], True),
    ],
)
def test_an_organ_is_cut_where_the_region_ends_and_the_scan_goes_on(scan: Box, organ: tuple, cut: bool) -> None:
    mask = np.zeros(GRID.size, bool)
    mask[organ] = True
    assert is_cut(mask, SEEN, GRID, scan) == cut


def test_the_grid_s_own_border_counts_as_the_region_s() -> None:
    mask = np.zeros(GRID.size, bool)
    mask[20:, 10:20, 10:20] = True
    far, near = Box(np.full(3, -200.0), np.full(3, 200.0)), Box(np.full(3, -200.0), np.full(3, 80.0))
    assert is_cut(mask, np.ones_like(mask), GRID, far) and not is_cut(mask, np.ones_like(mask), GRID, near)


def blind_locator() -> parts.Stub:
    return parts.Stub(config("locator"), lambda hu: np.stack([hu * 0 + 1, *[hu * 0] * 4]))


def test_where_the_locator_sees_no_kidney_the_whole_scan_is_parsed(parsed: Callable, a_patient: Volume) -> None:
    net = parts.Stub(parts.BA_NET, parts.kidney_with(0.9))
    seeing: LabelMap = parsed(parts.system("a"), {"a": parts.Stub(parts.BA_NET, parts.kidney_with(0.9))})
    blind: LabelMap = parsed(parts.system("a"), {"a": net, LOCATOR: blind_locator()})
    assert blind.notes == ("The whole scan was searched, as no kidney was located.",)
    assert {s.id for s in blind.segments} == {"kidney_right", "kidney_left"}
    # Half a voxel at the surfaces apart, as the grids do not coincide, it is what the located regions show.
    assert dice(blind.structure_labels() == 1, seeing.structure_labels() == 1) > 0.9


def test_a_kidney_that_leaves_its_region_is_parsed_in_the_whole_scan(parsed: Callable, a_patient: Volume) -> None:
    """The locator sees only the bright middle of a long kidney."""
    tall = a_patient.array
    tall[5:95, 30:54, 26:50] = parts.DIM
    tall[45:55, 30:54, 26:50] = parts.BRIGHT

    def middle_only(hu: np.ndarray) -> np.ndarray:
        kidney, spine = parts.near(hu, parts.BRIGHT), parts.near(hu, parts.SPINE)
        return np.stack([~kidney & ~spine, kidney, spine, hu * 0, hu * 0])

    stubs = {
        "a": parts.Stub(parts.BA_NET, parts.kidney_with(0.9, parts.BRIGHT, parts.DIM)),
        LOCATOR: parts.Stub(config("locator"), middle_only),
    }
    result: LabelMap = parsed(parts.system("a"), stubs)
    right = next(s for s in result.segments if s.id == "kidney_right")
    planes = np.flatnonzero(result.mask(right).any((1, 2)))
    assert planes[0] <= 7 and planes[-1] >= 92


def test_progress_never_falls_when_all_is_done_again(parsed: Callable, a_patient: Volume) -> None:
    seen: list[float] = []
    a_patient.array[5:95, 30:54, 26:50] = parts.DIM
    a_patient.array[45:55, 30:54, 26:50] = parts.BRIGHT
    bright_only = parts.Stub(
        config("locator"), lambda hu: parts.locator_maps(np.where(parts.near(hu, parts.DIM), 0, hu))
    )
    both = parts.Stub(parts.BA_NET, parts.kidney_with(0.9, parts.BRIGHT, parts.DIM))
    result = parsed(parts.system("a"), {"a": both, LOCATOR: bright_only}, progress=lambda f, p: seen.append(f))
    assert "reached beyond" in result.notes[0] and seen == sorted(seen) and seen[-1] == 1.0


@pytest.mark.parametrize(("left", "found"), [(np.s_[30:70, 30:54, 90:114], True), (np.s_[44:54, 36:46, 96:106], False)])
def test_a_kidney_that_the_locator_missed_is_looked_for_opposite_the_other(
    parsed: Callable, a_patient: Volume, left: tuple[slice, ...], found: bool
) -> None:
    """The locator sees the bright right kidney only. Opposite it lies a dim one of 184 ml, or a speck of 8 ml."""
    a_patient.array[:, :, 80:] = -100
    a_patient.array[left] = parts.DIM
    bright_only = parts.Stub(
        config("locator"), lambda hu: parts.locator_maps(np.where(parts.near(hu, parts.DIM), 0, hu))
    )
    both = parts.Stub(parts.BA_NET, parts.kidney_with(0.9, parts.BRIGHT, parts.DIM))
    result: LabelMap = parsed(parts.system("a"), {"a": both, LOCATOR: bright_only})
    assert [s.id for s in result.segments] == ["kidney_right", *["kidney_left"] * found]
    assert result.notes == (() if found else ("Only a right kidney was found.",))
