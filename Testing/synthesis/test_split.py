"""The synthetic test split: its plans, scans of a drawn anatomy on scanners' grids, the contact sheet, the scoring."""

from __future__ import annotations

import hashlib
import importlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import segment, structure
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.synthesis.anatomy_builder import Atlases
from KidneyParsingLib.synthesis.look.appearance import PHASES
from KidneyParsingLib.synthesis.scans import scan
from KidneyParsingLib.synthesis.scans.contact_sheet import (
    CAPTION_PIXELS,
    PANEL_PIXELS,
    ROW_SHAPE,
    sheet_row,
    write_sheet,
)
from KidneyParsingLib.synthesis.scans.scan import ScanPlan, scan_of
from KidneyParsingLib.synthesis.scans.scan_geometry import AXES, SLICE_MM, ScanGeometry, slice_class, stack_over
from KidneyParsingLib.synthesis.scans.split import TEST_SPLIT, VALIDATION_SPLIT, check_training_seeds
from KidneyParsingLib.synthesis.tissues import Tissue, structure_lookup
from KidneyParsingLib.volumes.volume import LabelMap, Volume

SPACING = 4.0
SHAPE = (60, 70, 90)
# Boxes of the drawn anatomy, voxels: corner and size (z, y, x; x to the left). The left kidney is higher.
BOXES = {
    Tissue.MARROW: ((0, 42, 41), (60, 10, 8)),
    Tissue.ARTERY: ((0, 34, 46), (60, 6, 6)),
    Tissue.CORTEX: ((25, 36, 60), (20, 12, 12)),
    Tissue.MEDULLA: ((22, 36, 18), (20, 12, 12)),
    Tissue.TUMOR: ((40, 30, 20), (8, 6, 6)),
}
BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def tissues() -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    array[:, 15:60, 8:82] = Tissue.FAT
    array[:, 62:64, :] = Tissue.TABLE
    for tissue, (corner, size) in BOXES.items():
        array[tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))] = tissue
    return array


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("made_scans")


@pytest.fixture(scope="module")
def scores(benchmark: ModuleType) -> ModuleType:
    return importlib.import_module("made_scan_scores")


def made(tissues: np.ndarray, plan: ScanPlan) -> tuple[Volume, LabelMap]:
    return scan_of(tissues, plan, np.random.default_rng(plan.seed))


def on_scanner(**geometry: object) -> ScanPlan:
    """96 x 96 pixels of 3.5 mm, slices of 5 mm, somewhere in space."""
    given = {"matrix": 96, "origin_mm": (-170.5, 33.0, -812.25), **geometry}
    return ScanPlan(7, "portal", (5.0, 3.5, 3.5), SPACING, ScanGeometry(**given))


def points(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Patient coordinates (n, 3), LPS mm, of a mask's voxels."""
    return np.argwhere(mask)[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]


def test_the_split_is_fixed() -> None:
    """A new hash means a new split: results before and after are not comparable."""
    assert (
        hashlib.sha256(repr(TEST_SPLIT).encode()).hexdigest()
        == "25b9da42089c7074bd5508c75f92efd4e458989af7230d455046b073a8595f2d"
    )


def test_the_split_holds_every_phase_in_every_slice_class_alike() -> None:
    cells = [(plan.phase, slice_class(plan.voxel_mm[0])) for plan in TEST_SPLIT]
    assert len(cells) == 60 and set(Counter(cells).values()) == {4}
    assert set(cells[:15]) == {(phase, name) for phase in PHASES for name in SLICE_MM}
    assert [plan.seed for plan in TEST_SPLIT] == list(range(900_001, 900_061))


def test_the_split_to_choose_by_is_as_balanced_and_shares_no_seed() -> None:
    cells = [(plan.phase, slice_class(plan.voxel_mm[0])) for plan in VALIDATION_SPLIT]
    assert len(cells) == 30 and set(Counter(cells).values()) == {2}
    assert {plan.seed for plan in VALIDATION_SPLIT}.isdisjoint(plan.seed for plan in TEST_SPLIT)


def test_plans_are_those_of_scanners() -> None:
    assert {plan.geometry.axes for plan in TEST_SPLIT} == set(AXES)
    assert {plan.geometry.padding_hu for plan in TEST_SPLIT} == {None, -1024, -2048, -3024}
    assert all(0.6 <= plan.voxel_mm[1] <= 0.98 and abs(plan.geometry.tilt_deg) <= 5 for plan in TEST_SPLIT)
    shown = [plan.geometry.kidneys_shown for plan in TEST_SPLIT]
    assert 5 < sum(share is not None for share in shown) < 30


@pytest.mark.parametrize(("mm", "name"), [(0.5, "thin"), (1.5, "thin"), (2, "medium"), (3, "medium"), (5, "thick")])
def test_classes_of_slice_thickness(mm: float, name: str) -> None:
    assert slice_class(mm) == name


def test_every_tenth_kidney_is_held_out(tmp_path: Path) -> None:
    for index in range(25):
        (tmp_path / f"case_{index:05d}.nii.gz").touch()
    every, held, others = ({p.name for p in Atlases(tmp_path, tmp_path, h).cases} for h in (None, True, False))
    assert len(every) == 25 and len(held) == 3
    assert held | others == every and not held & others


def test_seeds_of_the_split_are_not_for_training() -> None:
    check_training_seeds(range(1, 800_000))
    with pytest.raises(InputError, match="800000"):
        check_training_seeds(range(799_999, 800_001))
    assert min(plan.seed for plan in (*TEST_SPLIT, *VALIDATION_SPLIT)) > 800_000


@pytest.mark.parametrize(("axes", "tilt"), [*((axes, 0.0) for axes in AXES), ("LAS", 5.0), ("PSR", -3.0)])
def test_landmarks_keep_their_places_in_the_patient(axes: str, tilt: float, tissues: np.ndarray) -> None:
    """Centres of boxes relative to each other and their volumes, whatever the file's axes."""
    volume, truth = made(tissues, on_scanner(axes=axes, tilt_deg=tilt))
    assert volume.array.shape == truth.array.shape and np.array_equal(volume.affine, truth.affine)
    names = {"kidney_left": Tissue.CORTEX, "kidney_right": Tissue.MEDULLA, "tumor": Tissue.TUMOR}
    found = {name: points(truth.mask(segment(name)), truth.affine).mean(0) for name in names}
    boxes = {name: np.add(BOXES[t][0], np.divide(BOXES[t][1], 2))[::-1] * SPACING for name, t in names.items()}
    for name in ("kidney_right", "tumor"):
        expected = boxes[name] - boxes["kidney_left"]
        assert found[name] - found["kidney_left"] == pytest.approx(expected, abs=2.5)
    assert found["kidney_left"][0] > found["kidney_right"][0]
    assert truth.volumes_ml()["kidney_left"] == pytest.approx(20 * 12 * 12 * SPACING**3 / 1000, rel=0.06)


@pytest.mark.parametrize("plan", [on_scanner(tilt_deg=4.0, axes="RAS", trim_mm=(20, 0)), ScanPlan(1, anatomy_mm=4.0)])
def test_the_truth_is_the_tissue_at_every_voxel_s_place(plan: ScanPlan, tissues: np.ndarray) -> None:
    volume, truth = made(tissues, plan)
    stack = stack_over(tissues, SPACING, plan.voxel_mm, plan.geometry)
    labels = truth.structure_labels()
    chosen = np.random.default_rng(0).integers(labels.shape, size=(4000, 3))
    patient = chosen[:, ::-1] @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    place = (patient - plan.geometry.origin_mm + stack.affine[:3, 3])[:, ::-1] / SPACING
    # On the border between two voxels of the anatomy either may be taken.
    inside = (np.abs(place - np.rint(place)) > 1e-3).all(1) & (place > 0).all(1) & (place < SHAPE).all(1)
    expected = structure_lookup()[tissues[tuple(place[inside].astype(int).T)]]
    assert inside.sum() > 1000 and np.array_equal(labels[tuple(chosen[inside].T)], expected)


def test_the_image_shows_what_the_truth_says(tissues: np.ndarray) -> None:
    volume, truth = made(tissues, on_scanner(axes="RAI"))
    mean = {
        name: volume.array[truth.structure_labels() == structure(name).label].mean() for name in ("kidney", "artery")
    }
    body = volume.array[volume.array > -300]
    assert mean["kidney"] > 60 and mean["artery"] > 60 and np.median(body) < 0


@pytest.mark.parametrize("padding", [-1024, -2048, -3024])
def test_padding_lies_outside_the_circle(padding: int, tissues: np.ndarray) -> None:
    volume, truth = made(tissues, on_scanner(padding_hu=padding, shift_mm=(0, 120)))
    y, x = np.indices((96, 96)) - 47.5
    outside = np.hypot(y, x) > 48
    assert (volume.array[:, outside] == padding).all() and not truth.array[:, outside].any()
    assert volume.array[:, ~outside].min() >= -1024 and volume.array[:, 48, 48].max() > -300


def test_a_scan_of_the_upper_abdomen_cuts_the_kidneys(tissues: np.ndarray) -> None:
    """Kidneys and tumor reach from 22 to 48 voxels: above their middle lie 10 of the left kidney's 20 voxels."""
    plan = on_scanner(kidneys_shown=0.5, axes="RAS")
    volumes = made(tissues, plan)[1].volumes_ml()
    assert volumes["kidney_left"] / (20 * 12 * 12 * SPACING**3 / 1000) == pytest.approx(10 / 20, abs=0.1)


def test_trimming_leaves_the_kidneys_whole(tissues: np.ndarray) -> None:
    whole, trimmed = (made(tissues, on_scanner(trim_mm=trim)) for trim in ((0, 0), (150, 100)))
    assert trimmed[0].array.shape[0] < whole[0].array.shape[0]
    assert trimmed[1].volumes_ml()["kidney_left"] == pytest.approx(whole[1].volumes_ml()["kidney_left"], rel=0.1)


def test_the_look_has_the_slices_of_the_plan(tissues: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    paint = scan.paint
    monkeypatch.setattr(scan, "paint", lambda t, mm, look, g: (looks.append(look), paint(t, mm, look, g))[1])
    made(tissues, replace(on_scanner(), voxel_mm=(2.5, 3.5, 3.5)))
    assert looks[0].scanner.slice_mm == 2.5


def test_the_same_plan_makes_the_same_scan(tissues: np.ndarray) -> None:
    first, again = (made(tissues, on_scanner(tilt_deg=2.0)) for _ in range(2))
    assert np.array_equal(first[0].array, again[0].array) and np.array_equal(first[1].array, again[1].array)


@pytest.mark.parametrize("axes", ["LPS", "PSR"])
def test_contact_sheet_shows_contours_in_the_third_panel_only(axes: str, tissues: np.ndarray, tmp_path: Path) -> None:
    plan = on_scanner(axes=axes)
    row = sheet_row(plan, *made(tissues, plan))
    assert row.shape == ROW_SHAPE and row.dtype == np.uint8 and row[:CAPTION_PIXELS].any()
    plain, contours = np.split(row[CAPTION_PIXELS:], [2 * PANEL_PIXELS], axis=1)
    assert (plain == plain[..., :1]).all()
    # The patient's right kidney is on the left, and lower than the other.
    places = np.argwhere((contours == structure("kidney").color).all(-1))
    right, left = (places[(places[:, 1] < PANEL_PIXELS // 2) == side] for side in (True, False))
    assert len(right) > 20 and len(left) > 20 and right[:, 0].mean() > left[:, 0].mean()
    write_sheet([row, row], tmp_path / "sheet.png")
    image = sitk.ReadImage(str(tmp_path / "sheet.png"))
    assert image.GetSize() == (ROW_SHAPE[1], 2 * ROW_SHAPE[0])
    assert np.array_equal(sitk.GetArrayFromImage(image)[: ROW_SHAPE[0]], row)


def ball(mm: float, spacing: tuple[float, float, float] = (2.0, 1.0, 1.0)) -> np.ndarray:
    half = [int(mm / 2 / s) + 3 for s in spacing]
    axes = np.ogrid[tuple(slice(-h, h + 1) for h in half)]
    return sum((axis * s) ** 2 for axis, s in zip(axes, spacing, strict=True)) <= (mm / 2) ** 2


@pytest.mark.parametrize(("mm", "name"), [(15, "<= 2 cm"), (30, "2-4 cm"), (55, "4-7 cm"), (80, "> 7 cm")])
def test_size_classes_of_balls(mm: float, name: str, scores: ModuleType) -> None:
    mask = ball(mm)
    missed, found = (scores.tumor_scores(p, mask, (2.0, 1.0, 1.0))["tumors"][0] for p in (mask & False, mask))
    assert missed["mm"] == pytest.approx(mm, rel=0.02) and scores.size_class(missed["mm"]) == name
    assert (missed["dice"], missed["found"], found["dice"], found["found"]) == (0, False, 1, True)


def test_lesions_are_scored_one_by_one(scores: ModuleType) -> None:
    """Cubes of 10 mm: one half found, one missed, and a false one of 1 ml."""
    truth, predicted = np.zeros((2, 40, 60, 20), bool)
    truth[5:15, 5:15, 5:15] = truth[5:15, 25:35, 5:15] = True
    predicted[5:15, 5:10, 5:15] = predicted[25:35, 45:55, 5:15] = True
    result = scores.tumor_scores(predicted, truth, (1.0, 1.0, 1.0))
    assert [t["dice"] for t in result["tumors"]] == pytest.approx([2 / 3, 0])
    assert [t["found"] for t in result["tumors"]] == [True, False]
    assert (result["false_tumors"], result["false_tumor_ml"]) == (1, pytest.approx(1.0))


def test_kidneys_missed_and_false(scores: ModuleType) -> None:
    """A kidney found 3 mm too large, one missed, and 8 ml of kidney elsewhere."""
    truth, predicted = np.zeros((2, 80, 80, 80), np.uint8)
    truth[10:40, 10:40, 5:35] = truth[10:40, 10:40, 45:75] = 1
    predicted[7:43, 7:43, 2:38] = 1
    predicted[55:75, 55:75, 5:25] = 1
    expected = {"kidneys": 2, "missed_kidneys": 1, "false_kidney_ml": pytest.approx(8.0)}
    assert scores.kidney_scores(predicted, truth) == expected


def test_vessels_far_from_the_kidneys_count_in_the_whole_scan_only(scores: ModuleType) -> None:
    """A vessel of 200 mm of which the part within 40 mm of a kidney is found."""
    pytest.importorskip("skimage")
    truth = np.zeros((100, 30, 30), np.uint8)
    y, x = np.indices((30, 30)) - 6
    truth[:, np.hypot(y, x) < 2.5], truth[80:95, 15:25, 15:25] = structure("artery").label, structure("kidney").label
    predicted = truth.copy()
    predicted[:60] = 0
    result = scores.score_scan(predicted, truth, (2.0, 2.0, 2.0), ("kidney", "artery"))
    assert result["dice"] == {"kidney": 1.0, "artery": pytest.approx(2 * 40 / 140)}
    assert result["dice_near"] == {"artery": 1.0} and result["cldice_near"] == {"artery": 1.0}
    assert result["cldice"]["artery"] < 0.65 and "tumors" not in result


def test_scoring_goes_on_where_it_stopped(benchmark: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    calls: list[tuple[str, int]] = []

    def run(count: int, models: dict[str, str]) -> list[tuple[str, int]]:
        calls.clear()
        file = benchmark.ScoreFile(path)
        score = lambda model, seed: calls.append((model, seed)) or {"dice": {}}  # noqa: E731
        benchmark.score_all(TEST_SPLIT[:count], models, file, lambda plan: plan.seed, score)
        return list(calls)

    assert len(run(2, {"a": "1"})) == 2
    path.write_text(path.read_text() + '{"model": "a", "wei')
    assert run(3, {"a": "1"}) == [("a", 900_003)]
    assert run(3, {"a": "1", "b": "9"}) == [("b", 900_001 + i) for i in range(3)]
    assert run(3, {"a": "2"}) == [("a", 900_001 + i) for i in range(3)]
    assert run(3, {"a": "1", "b": "9"}) == []


def test_tables_tell_how_many_scans_they_are_made_of(benchmark: ModuleType) -> None:
    about = {"dice_near": {}, "cldice": {}, "cldice_near": {}, "false_tumors": 1, "false_tumor_ml": 2.0}
    about |= {"tumors": [{"mm": 30.0, "dice": 0.5, "found": True}], "kidneys": 2, "missed_kidneys": 1}
    records = [
        {"phase": phase, "slices": "thin", "dice": {"kidney": value}, "false_kidney_ml": 3.0, **about}
        for phase, value in (("none", 0.5), ("portal", 1.0))
    ]
    text = benchmark.tables("a_net", records)
    assert "synthetic" in text and "| all | 0.750 (2) |" in text and "| portal | 1.000 (1) |" in text
    assert "| 2-4 cm | 2 | 0.500 (2) | 1.000 (2) |" in text and "| all | 4 | 2 | 3.0 (2) |" in text
