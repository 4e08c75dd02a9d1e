"""Locator components, clean-up and sides on label maps drawn by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import LEFT, RIGHT, structure
from KidneyParsingLib.inference.cleanup import (
    implausible,
    keep_plausible,
    suppress,
    unlikely_kidney,
    without_unlikely_kidneys,
)
from KidneyParsingLib.inference.grid import Grid
from KidneyParsingLib.inference.locate import LOCATOR_CLASSES, Midline, find_midline, location_of
from KidneyParsingLib.inference.sides import MAX_TUMORS, to_segments
from KidneyParsingLib.volumes.volume import Volume

LABEL = {s: structure(s).label for s in ("kidney", "tumor", "artery", "vein", "ureter", "cyst")}
GRID = Grid(np.array([-198.0, -148.0, 2.0]), (4.0, 4.0, 4.0), (60, 75, 100))

SOFT_TISSUE = np.full(GRID.size, 40.0)


def box(center: tuple[int, ...], half: int, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(max(0, c - half), min(n, c + half)) for c, n in zip(center, shape, strict=True))


def locator_logits(**boxes: tuple[tuple[int, ...], int]) -> np.ndarray:
    logits = np.zeros((len(LOCATOR_CLASSES), *GRID.size), np.float32)
    logits[0] = 5
    for name, (center, half) in boxes.items():
        window = box(center, half, GRID.size)
        logits[(LOCATOR_CLASSES.index(name.rstrip("_")), *window)] = 10
    return logits


def test_two_kidneys_get_the_sides_of_the_patient() -> None:
    logits = locator_logits(spine=((30, 45, 50), 5), kidney=((30, 45, 30), 6), kidney_=((30, 45, 70), 6))
    midline = find_midline(logits.argmax(0), np.zeros(GRID.size), GRID)
    assert midline.at(100.0) == pytest.approx(GRID.origin[0] + 4 * 49.5, abs=0.1)
    kidneys = {k.side: k for k in location_of(logits, SOFT_TISSUE, GRID).kidneys}
    assert set(kidneys) == {RIGHT, LEFT}
    assert kidneys[RIGHT].box.center[0] < kidneys[LEFT].box.center[0]
    assert kidneys[RIGHT].ml == pytest.approx(10**3 * 0.064, rel=0.1)  # after erosion by a voxel
    assert kidneys[RIGHT].box.high - kidneys[RIGHT].box.low == pytest.approx([48.0] * 3)


def test_a_single_kidney_of_a_shifted_patient_keeps_its_side() -> None:
    """The kidney is in the left half of the image but right of the spine."""
    logits = locator_logits(spine=((30, 45, 85), 5), kidney=((30, 45, 66), 6))
    assert [k.side for k in location_of(logits, SOFT_TISSUE, GRID).kidneys] == [RIGHT]


def test_specks_and_things_far_from_the_spine_are_no_kidneys() -> None:
    logits = locator_logits(spine=((30, 45, 50), 4), kidney=((30, 45, 35), 2), kidney_=((30, 45, 95), 6))
    assert location_of(logits, SOFT_TISSUE, GRID).kidneys == []


def test_a_kidney_that_a_weak_bridge_joins_to_something_huge_is_still_found() -> None:
    logits = locator_logits(spine=((30, 45, 50), 4), kidney=((30, 45, 30), 6))
    kidney = LOCATOR_CLASSES.index("kidney")
    logits[kidney, 5:55, 10:70, 14:24] = 5.5  # a mass beside it, seen as kidney with little more than half
    kidneys = location_of(logits, SOFT_TISSUE, GRID).kidneys
    assert [k.side for k in kidneys] == [RIGHT]
    assert kidneys[0].box.high - kidneys[0].box.low == pytest.approx([48.0] * 3)


def test_of_two_candidates_the_one_at_the_other_kidney_s_level_is_taken() -> None:
    logits = locator_logits(spine=((30, 45, 50), 4), kidney=((45, 45, 30), 7), kidney_=((44, 45, 70), 6))
    logits[(LOCATOR_CLASSES.index("kidney"), *box((9, 45, 70), 8, GRID.size))] = 10  # larger, in the pelvis
    kidneys = {k.side: k for k in location_of(logits, SOFT_TISSUE, GRID).kidneys}
    assert kidneys[LEFT].box.center[2] == pytest.approx(GRID.origin[2] + 4 * 43.5)


def test_a_kidney_far_below_the_other_one_is_better_than_none() -> None:
    """A right kidney in the pelvis, 140 mm lower: every millimetre has a price, but the kidney is worth more."""
    logits = locator_logits(spine=((30, 45, 50), 4), kidney=((10, 45, 30), 7), kidney_=((45, 45, 70), 7))
    assert {k.side for k in location_of(logits, SOFT_TISSUE, GRID).kidneys} == {RIGHT, LEFT}


def test_a_horseshoe_kidney_is_found_as_its_two_halves() -> None:
    logits = locator_logits(spine=((30, 55, 50), 5), kidney=((30, 45, 34), 7), kidney_=((30, 45, 66), 7))
    logits[LOCATOR_CLASSES.index("kidney"), 26:32, 40:46, 30:70] = 10
    assert {k.side for k in location_of(logits, SOFT_TISSUE, GRID).kidneys} == {RIGHT, LEFT}


def test_what_is_as_dark_as_water_is_no_kidney() -> None:
    logits = locator_logits(spine=((30, 45, 50), 5), kidney=((30, 45, 30), 6), kidney_=((30, 45, 70), 6))
    hu = SOFT_TISSUE.copy()
    hu[:, :, :50] = 5
    assert [k.side for k in location_of(logits, hu, GRID).kidneys] == [LEFT]


def test_without_a_spine_the_body_s_middle_serves() -> None:
    hu = np.full(GRID.size, -1000.0)
    hu[:, :, 20:60] = 40
    midline = find_midline(np.zeros(GRID.size, int), hu, GRID)
    assert midline.at(50.0) == pytest.approx(GRID.origin[0] + 4 * 39.5)


@pytest.fixture
def labels() -> np.ndarray:
    """1 ml a voxel: two kidneys of 64 ml, the right one with a tumor."""
    array = np.zeros((20, 30, 40), np.uint8)
    array[5:9, 5:9, 5:9] = LABEL["kidney"]
    array[5:9, 5:9, 30:34] = LABEL["kidney"]
    array[5:8, 8:10, 5:8] = LABEL["tumor"]
    return array


def test_kidneys_with_their_lesions_stay(labels: np.ndarray) -> None:
    assert np.array_equal(keep_plausible(labels, 1.0), labels)


def test_small_kidneys_and_small_lesions_on_nothing_go(labels: np.ndarray) -> None:
    extra = labels.copy()
    extra[15:17, 20:22, 20] = LABEL["kidney"]
    extra[15:17, 2:4, 20] = LABEL["tumor"]
    assert np.array_equal(keep_plausible(extra, 1.0), labels)


def test_a_speck_of_lesion_in_a_kidney_becomes_kidney_and_other_specks_nothing(labels: np.ndarray) -> None:
    specks = labels.copy()
    specks[6, 6, 31] = LABEL["cyst"]
    specks[18, 28, 2] = LABEL["vein"]
    assert np.array_equal(keep_plausible(specks, 0.1), keep_plausible(labels, 0.1))


def test_the_input_is_left_as_it_was(labels: np.ndarray) -> None:
    before = labels.copy()
    before[18, 28, 2] = LABEL["vein"]
    given = before.copy()
    keep_plausible(given, 0.1)
    assert np.array_equal(given, before)


def volume_for(labels: np.ndarray, flip: bool = False) -> Volume:
    affine = np.diag([-10.0 if flip else 10.0, 10.0, 10.0, 1.0])
    affine[0, 3] = 195.0 if flip else -195.0
    return Volume(np.zeros(labels.shape, np.int16), affine)


MIDDLE = Midline(np.zeros(1), np.zeros(1))


@pytest.mark.parametrize("flip", [False, True])
def test_sides_follow_the_patient_not_the_array(labels: np.ndarray, flip: bool) -> None:
    result = to_segments(labels, volume_for(labels, flip), MIDDLE)
    low_x = "kidney_left" if flip else "kidney_right"
    high_x = "kidney_right" if flip else "kidney_left"
    masks = {s.id: result.mask(s) for s in result.segments}
    assert masks[low_x].sum() == 64 - 9 and masks[low_x][:, :, :20].sum() == 64 - 9
    assert masks[high_x].sum() == 64
    assert np.array_equal(result.structure_labels(), labels)


def test_segments_do_not_depend_on_the_array_s_memory_order(labels: np.ndarray) -> None:
    result = to_segments(np.asfortranarray(labels), volume_for(labels), MIDDLE)
    assert np.array_equal(result.array, to_segments(labels, volume_for(labels), MIDDLE).array)
    assert np.array_equal(result.structure_labels(), labels)


def test_a_kidney_that_leans_over_the_midline_stays_whole_and_a_horseshoe_is_cut() -> None:
    leaning = np.zeros((10, 10, 40), np.uint8)
    leaning[4:8, 4:8, 6:21] = LABEL["kidney"]
    assert [s.id for s in to_segments(leaning, volume_for(leaning), MIDDLE).segments] == ["kidney_right"]
    horseshoe = np.zeros((10, 10, 40), np.uint8)
    horseshoe[4:8, 4:8, 8:32] = LABEL["kidney"]
    cut = to_segments(horseshoe, volume_for(horseshoe), MIDDLE)
    assert {s.id: int(cut.mask(s).sum()) for s in cut.segments} == {"kidney_right": 192, "kidney_left": 192}


def test_tumors_are_numbered_by_size_and_all_keep_their_voxels() -> None:
    array = np.zeros((4, 4, 60), np.uint8)
    for index, size in enumerate((1, 3, 2, 1, 1, 1, 1)):
        array[0, 0, 8 * index : 8 * index + size] = LABEL["tumor"]
    result = to_segments(array, volume_for(array), MIDDLE)
    assert [s.id for s in result.segments] == ["tumor", *(f"tumor_{n}" for n in range(2, MAX_TUMORS + 1))]
    assert result.mask(result.segments[0])[0, 0, 8:11].all()
    assert np.array_equal(result.structure_labels(), array)
    assert len({s.value for s in result.segments}) == len(result.segments)


def logits_of(labels: np.ndarray) -> np.ndarray:
    """Logits that prefer the given labels clearly."""
    return np.stack([np.where(labels == c, 5.0, 0.0) for c in range(7)]).astype(np.float32)


@pytest.fixture
def a_scene() -> tuple[np.ndarray, Grid]:
    """At 2 mm: two kidneys (balls of 24 mm radius) and an aorta between them."""
    grid = Grid(np.zeros(3), (2.0, 2.0, 2.0), (60, 60, 120))
    z, y, x = np.ogrid[:60, :60, :120]
    labels = np.zeros(grid.size, np.uint8)
    labels[:, 26:34, 56:64] = LABEL["artery"]
    for column in (25, 95):
        labels[(z - 30) ** 2 + (y - 30) ** 2 + (x - column) ** 2 < 12**2] = LABEL["kidney"]
    return labels, grid


def suppressed(labels: np.ndarray, grid: Grid) -> np.ndarray:
    logits = logits_of(labels)
    suppress(logits, implausible(labels, True, grid, Midline(np.zeros(1), np.array([120.0]))))
    return logits.argmax(0)


def test_a_plausible_scene_stays_as_it_is(a_scene: tuple[np.ndarray, Grid]) -> None:
    labels, grid = a_scene
    assert (suppressed(labels, grid) != labels).mean() < 1e-4


def test_bowel_that_hangs_on_a_kidney_by_a_thin_bridge_is_cut_off(a_scene: tuple[np.ndarray, Grid]) -> None:
    labels, grid = a_scene
    with_bowel = labels.copy()
    with_bowel[29:31, 5:20, 24:26] = LABEL["kidney"]
    with_bowel[26:36, 1:11, 20:30] = LABEL["kidney"]
    result = suppressed(with_bowel, grid)
    assert not result[:, :12].any()
    assert (result[:, 18:] != labels[:, 18:]).mean() < 1e-3


def test_a_spleen_taken_for_tumor_goes_and_a_kidney_that_is_mostly_tumor_stays(
    a_scene: tuple[np.ndarray, Grid],
) -> None:
    labels, grid = a_scene
    z, y, x = np.ogrid[:60, :60, :120]
    ill = labels.copy()
    ill[((z - 30) ** 2 + (y - 30) ** 2 + (x - 95) ** 2 < 12**2) & (z > 25)] = LABEL["tumor"]
    with_spleen = ill.copy()
    with_spleen[44:60, 45:60, 80:119] = LABEL["tumor"]
    assert (suppressed(with_spleen, grid) != ill).mean() < 1e-3


def test_a_thin_walled_hydronephrotic_kidney_stays(a_scene: tuple[np.ndarray, Grid]) -> None:
    labels, grid = a_scene
    z, y, x = np.ogrid[:60, :60, :120]
    distance = np.sqrt((z - 30) ** 2 + (y - 30) ** 2 + (x - 95) ** 2)
    shell = labels.copy()
    shell[distance < 12] = LABEL["ureter"]
    shell[(distance < 12) & (distance > 9.5)] = LABEL["kidney"]
    assert (suppressed(shell, grid) != shell).mean() < 1e-3


def test_thin_parenchyma_stays_also_where_one_pole_is_thick(a_scene: tuple[np.ndarray, Grid]) -> None:
    """A hydronephrotic kidney with a wall of 8 mm and a pole of 24 mm; and one with a wall only, by a false ball."""
    labels, grid = a_scene
    z, y, x = np.ogrid[:60, :60, :120]
    distance = np.sqrt((z - 30) ** 2 + (y - 30) ** 2 + (x - 95) ** 2)
    ill = labels.copy()
    ill[:, :, 80:] = 0
    ill[(distance < 20) & (distance > 16)] = LABEL["kidney"]
    thick = ill.copy()
    thick[(z - 46) ** 2 + (y - 30) ** 2 + (x - 95) ** 2 < 6**2] = LABEL["kidney"]
    assert (suppressed(thick, grid) != thick).mean() < 1e-4
    ball = ill.copy()
    ball[(z - 5) ** 2 + (y - 6) ** 2 + (x - 113) ** 2 < 4.9**2] = LABEL["kidney"]
    assert (suppressed(ball, grid) != ill).mean() < 1e-4


def test_a_small_kidney_that_hangs_on_the_other_one_stays(a_scene: tuple[np.ndarray, Grid]) -> None:
    """A horseshoe whose left half has a third of the right half's volume."""
    labels, grid = a_scene
    z, y, x = np.ogrid[:60, :60, :120]
    joined = np.zeros_like(labels)
    joined[(z - 30) ** 2 + (y - 30) ** 2 + (x - 25) ** 2 < 12**2] = LABEL["kidney"]
    joined[(z - 30) ** 2 + (y - 30) ** 2 + (x - 85) ** 2 < 8.4**2] = LABEL["kidney"]
    joined[29:32, 29:32, 25:85] = LABEL["kidney"]
    assert np.array_equal(suppressed(joined, grid), joined)


@pytest.mark.parametrize("hangs", [True, False])
def test_what_lies_beside_the_spine_is_no_kidney_where_both_are_whole(
    a_scene: tuple[np.ndarray, Grid], hangs: bool
) -> None:
    """A ball of 4 ml left of the midline, joined to the right kidney by a bridge or not, beside a whole left kidney."""
    labels, grid = a_scene
    z, y, x = np.ogrid[:60, :60, :120]
    labels = np.where(labels == LABEL["kidney"], labels, 0).astype(np.uint8)
    more = labels.copy()
    more[(z - 30) ** 2 + (y - 30) ** 2 + (x - 70) ** 2 < 5**2] = LABEL["kidney"]
    if hangs:
        more[29:32, 29:32, 30:70] = LABEL["kidney"]
    assert not (suppressed(more, grid)[:, :, 64:76] > 0).any()
    assert np.array_equal(suppressed(more, grid)[:, :, 80:], labels[:, :, 80:])


def ball(middle: tuple[int, int, int], radius: float, shape: tuple[int, ...] = (60, 60, 120)) -> np.ndarray:
    z, y, x = np.ogrid[tuple(slice(n) for n in shape)]
    return (z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 < radius**2


@pytest.mark.parametrize(("radius", "stays"), [(4, True), (6, False)])
def test_a_lip_hardly_thicker_than_its_bridge_stays_and_a_loop_of_bowel_goes(
    a_scene: tuple[np.ndarray, Grid], radius: int, stays: bool
) -> None:
    """Balls of 16 and 24 mm on a left kidney, both joined to it by a bridge of 10 mm."""
    labels, grid = a_scene
    more = np.where(labels == LABEL["kidney"], labels, 0).astype(np.uint8)
    middle = 30 - 12 - 2 - radius
    more[28:33, middle:30, 93:98] = LABEL["kidney"]
    more[ball((30, middle, 95), radius)] = LABEL["kidney"]
    assert (suppressed(more, grid)[ball((30, middle, 95), radius - 1)] > 0).all() == stays


@pytest.mark.parametrize(
    ("kidney", "tumor", "hu", "stays"),
    [
        (8.0, 0.0, 100, False),  # 17 ml
        (10.0, 0.0, 100, True),  # 33 ml
        (10.0, 0.0, 5, False),  # as dark as water
        (8.0, 12.0, 100, True),  # little kidney, but a large tumor
        (5.0, 12.0, 100, False),  # 4 ml of kidney
    ],
)
def test_a_kidney_where_none_was_located_is_large_and_bright_enough(
    kidney: float, tumor: float, hu: int, stays: bool
) -> None:
    labels = np.zeros((60, 60, 120), np.uint8)
    labels[ball((30, 30, 25), 12)] = LABEL["kidney"]
    labels[ball((30, 15, 50), 14)] = LABEL["tumor"]  # of the right kidney, over the midline
    labels[28:32, 14:31, 25:50] = LABEL["tumor"]
    labels[ball((40, 45, 95), tumor)] = LABEL["tumor"]
    labels[ball((30, 45, 95), kidney)] = LABEL["kidney"]
    elsewhere = np.broadcast_to(np.arange(120) >= 60, labels.shape)
    gone = unlikely_kidney(labels, np.full(labels.shape, hu, np.float32), elsewhere, 0.008)
    expected = np.zeros_like(gone) if stays else (labels > 0) & (np.arange(120) >= 75)
    assert np.array_equal(gone, expected)


@pytest.mark.parametrize("case", ["liver known", "liver unknown", "beside urine", "thin everywhere"])
def test_the_rim_of_a_liver_whose_inside_is_known_goes(a_scene: tuple[np.ndarray, Grid], case: str) -> None:
    """A layer of 6 mm over the liver before a right kidney, on which it hangs: of 24 mm radius, or thin itself."""
    labels, grid = a_scene
    labels[:, :, :50] = 0
    kidney = ball((30, 30, 25), 12)
    if case == "thin everywhere":
        kidney &= ~ball((30, 30, 25), 9)
    labels[:30, 16:19, 8:42] = LABEL["tumor"]
    labels[kidney] = LABEL["kidney"]
    if case == "beside urine":
        labels[:30, 13:15, 8:42] = LABEL["ureter"]
    others = np.zeros(labels.shape, bool)
    others[:28, :12, 5:45] = case != "liver unknown"
    gone = implausible(labels, True, grid, Midline(np.zeros(1), np.array([120.0])), others=others)
    rim = labels == LABEL["tumor"]
    assert not gone[kidney].any()
    assert gone[rim].mean() > 0.7 if case == "liver known" else not gone[rim].any()


@pytest.mark.parametrize("thickness", [3, 10])
def test_a_large_false_kidney_far_from_a_whole_one_goes(a_scene: tuple[np.ndarray, Grid], thickness: int) -> None:
    """On the left, above the kidney of 58 ml: a sheet, or a slab, of 48 ml."""
    labels, grid = a_scene
    more = np.concatenate([labels, np.zeros((40, 60, 120), np.uint8)])
    side = round((6000 / thickness) ** 0.5)
    more[100 - thickness :, 2 : 2 + side, 66 : 66 + side] = LABEL["kidney"]
    taller = Grid(grid.origin, grid.spacing, more.shape)
    result = suppressed(more, taller)
    assert not result[60:].any() and np.array_equal(result[:60], labels)


def test_the_halves_of_a_kidney_that_is_in_two_pieces_stay(a_scene: tuple[np.ndarray, Grid]) -> None:
    labels, grid = a_scene
    parted = labels.copy()
    parted[29:32, :, 80:] = 0
    assert np.array_equal(suppressed(parted, grid), parted)


def test_hardly_anything_of_real_kidneys_is_taken_away(shared_data: Path) -> None:
    """Real kidneys, tumors and cysts at 2 mm, as a network without an error would find them. Cyst-ridden and dilated
    ones among them: rules for what hangs on kidneys cost some of them up to a fifth once."""
    for case in ("00000", "00121", "00259", "00508"):
        image = sitk.ReadImage(str(shared_data / "kidney_atlas" / f"case_{case}.nii.gz"))
        labels = np.array([0, LABEL["kidney"], LABEL["tumor"], LABEL["cyst"]])[
            sitk.GetArrayFromImage(image)[::2, ::2, ::2]
        ]
        grid = Grid(np.zeros(3), (2.0, 2.0, 2.0), labels.shape)
        columns = np.flatnonzero((labels > 0).any((0, 1)))
        mask = implausible(labels, True, grid, Midline(np.zeros(1), np.array([columns.mean() * 2.0])))
        kept = ((labels > 0) & ~mask).sum()
        assert 2 * kept / (kept + (labels > 0).sum()) > 0.95, case


def test_two_poles_joined_by_a_thin_bridge_are_one_kidney(a_scene: tuple[np.ndarray, Grid]) -> None:
    labels, grid = a_scene
    z, y, x = np.ogrid[:60, :60, :120]
    poles = labels.copy()
    poles[:, :, 80:] = 0
    poles[((z - 16) ** 2 + (y - 30) ** 2 + (x - 95) ** 2 < 10**2)] = LABEL["kidney"]
    poles[((z - 44) ** 2 + (y - 30) ** 2 + (x - 95) ** 2 < 9**2)] = LABEL["kidney"]
    poles[16:44, 29:32, 94:97] = LABEL["kidney"]
    cleaned = keep_plausible(suppressed(poles, grid).astype(np.uint8), 0.008)
    assert (cleaned == LABEL["kidney"])[:, :, 80:].sum() > 0.97 * (poles[:, :, 80:] > 0).sum()


def test_a_vessel_in_the_back_muscle_goes_and_a_broken_renal_artery_stays(a_scene: tuple[np.ndarray, Grid]) -> None:
    labels, grid = a_scene
    with_vessels = labels.copy()
    with_vessels[28:32, 54:58, 58:62] = LABEL["artery"]
    with_vessels[29:31, 29:31, 40:48] = LABEL["artery"]
    result = suppressed(with_vessels, grid)
    assert not result[:, 50:].any()
    assert (result[29:31, 29:31, 40:48] == LABEL["artery"]).all()


def test_a_ureter_in_pieces_stays_and_one_without_a_kidney_goes(a_scene: tuple[np.ndarray, Grid]) -> None:
    labels, grid = a_scene
    with_ureters = labels.copy()
    for low in (10, 5, 0):
        with_ureters[low : low + 4, 30, 27] = LABEL["ureter"]
    with_ureters[2:6, 5, 60] = LABEL["ureter"]
    result = suppressed(with_ureters, grid)
    assert (result[:14, 30, 27] == LABEL["ureter"]).sum() == 12
    assert not result[:, 5].any()


@pytest.mark.parametrize(("hu", "half", "kept"), [(35, 15, True), (5, 15, False), (35, 10, False)])
def test_a_kidney_that_no_locator_confirms_must_be_bright_and_large_enough(hu: int, half: int, kept: bool) -> None:
    """Cubes of 27 ml and 8 ml, of the brightness of a kidney without contrast and of water."""
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[box((20, 20, 20), half, labels.shape)] = LABEL["kidney"]
    labels[:5, :5, :5] = LABEL["vein"]
    result = without_unlikely_kidneys(labels, np.full(labels.shape, hu, np.int16), 0.001)
    assert np.array_equal(result, labels) if kept else not result.any()
