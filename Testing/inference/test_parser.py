"""The whole slice: the released networks on the made sample CTA and on real CT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from KidneyParsingLib.anatomy import structure
from KidneyParsingLib.errors import Cancelled, InputError
from KidneyParsingLib.evaluation.metrics import dice, dice_by_structure
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import LabelMap, Volume

# Floors for the small released networks; what they reach is in docs/results.md.
DICE_FLOORS = {"kidney": 0.92, "tumor": 0.6, "artery": 0.75, "vein": 0.75, "ureter": 0.2}


def test_the_sample_s_structures_are_found(sample_result: LabelMap, sample_truth: np.ndarray) -> None:
    scores = dice_by_structure(sample_result.structure_labels(), sample_truth)
    for name, floor in DICE_FLOORS.items():
        assert scores[name] >= floor, scores


def test_the_sample_s_volumes_are_those_of_its_truth(
    sample_result: LabelMap, sample_truth: np.ndarray, sample_ct: Volume
) -> None:
    voxel = float(np.prod(sample_ct.spacing)) / 1000
    organ = [structure(name).label for name in ("kidney", "tumor", "cyst")]
    for side, half in (
        ("right", np.s_[:, :, : sample_truth.shape[2] // 2]),
        ("left", np.s_[:, :, sample_truth.shape[2] // 2 :]),
    ):
        truth = np.isin(sample_truth[half], organ).sum() * voxel
        found = np.isin(sample_result.structure_labels()[half], organ).sum() * voxel
        assert found == pytest.approx(truth, rel=0.1), side


def test_right_is_the_patient_s_right(sample_result: LabelMap) -> None:
    """The sample's x axis runs to the patient's left, and its spine is near the middle column."""
    column = {s.id: np.argwhere(sample_result.mask(s))[:, 2].mean() for s in sample_result.segments}
    assert column["kidney_right"] < sample_result.array.shape[2] / 2 < column["kidney_left"]


def test_the_result_does_not_depend_on_how_the_scan_is_stored(
    a_parser: KidneyParser, sample_ct: Volume, sample_result: LabelMap
) -> None:
    """All three axes reversed, the affine along with them: the same patient."""
    affine = sample_ct.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ (np.array(sample_ct.array.shape[::-1]) - 1)
    affine[:3, :3] *= -1
    reversed_ct = Volume(np.ascontiguousarray(sample_ct.array[::-1, ::-1, ::-1]), affine)
    result = a_parser.parse(reversed_ct)
    assert [s.id for s in result.segments] == [s.id for s in sample_result.segments]
    for segment in ("kidney_right", "kidney_left"):
        value = next(s for s in result.segments if s.id == segment)
        assert dice(result.mask(value)[::-1, ::-1, ::-1], sample_result.mask(value)) > 0.97


def test_progress_rises_to_one_and_names_its_phases(a_parser: KidneyParser, sample_ct: Volume) -> None:
    seen: list[tuple[float, str]] = []
    a_parser.parse(sample_ct, lambda fraction, phase: seen.append((fraction, phase)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert any("kidney" in phase for _, phase in seen)


def test_a_progress_that_raises_cancelled_stops_the_run(a_parser: KidneyParser, sample_ct: Volume) -> None:
    def cancel(fraction: float, phase: str) -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        a_parser.parse(sample_ct, cancel)


def test_only_the_wanted_structures_are_kept(sample_ct: Volume, sample_result: LabelMap) -> None:
    result = KidneyParser(Options(device="cpu", backend="torch", structures=("artery",))).parse(sample_ct)
    assert [s.id for s in result.segments] == ["artery"]
    artery = next(s for s in sample_result.segments if s.id == "artery")
    assert np.array_equal(result.mask(artery), sample_result.mask(artery))


def test_a_water_phantom_has_no_kidney_and_says_so(a_parser: KidneyParser) -> None:
    array = np.full((40, 60, 60), -1000, np.int16)
    y, x = np.ogrid[:60, :60]
    array[:, (y - 30) ** 2 + (x - 30) ** 2 < 25**2] = 0
    result = a_parser.parse(Volume(array, np.diag([3.0, 3.0, 4.0, 1.0])))
    assert result.segments == () and not result.array.any()
    searched = "The whole scan was searched, as no kidney was located."
    assert result.notes == (searched, "No kidney was found in this volume.")


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="ba_net"):
        KidneyParser(Options(model="no_net"))


def test_the_locator_is_no_model_to_segment_with() -> None:
    with pytest.raises(InputError, match="no model 'locator'"):
        KidneyParser(Options(model="locator"))


@pytest.mark.parametrize("device", ["cuda:63", "nonsense"])
def test_a_device_that_is_not_there_is_refused_in_one_sentence(device: str) -> None:
    with pytest.raises(InputError, match="choose auto or cpu"):
        KidneyParser(Options(device=device))


def test_an_unknown_structure_is_refused() -> None:
    with pytest.raises(InputError, match="kidny"):
        Options(structures=("kidny",))


def test_the_smallest_scan_that_is_read_is_parsed(a_parser: KidneyParser) -> None:
    array = np.random.default_rng(0).integers(-100, 100, (12, 20, 20)).astype(np.int16)
    result = a_parser.parse(Volume(array, np.diag([2.0, 2.0, 3.0, 1.0])))
    assert result.array.shape == array.shape and result.notes


@pytest.fixture(scope="module")
def crlm_result(a_parser: KidneyParser, shared_data: Path) -> LabelMap:
    return a_parser.parse(read_ct(shared_data / "ct" / "crlm-ct-1006.nii.gz"))


def test_both_kidneys_of_a_real_ct_are_found_with_their_sides(crlm_result: LabelMap, shared_data: Path) -> None:
    volumes = crlm_result.volumes_ml()
    for side in ("right", "left"):
        assert 80 <= volumes[f"kidney_{side}"] <= 350
    reference = read_ct_labels(shared_data / "ct" / "crlm-ct-1006_ref.nii.gz")
    scores = dice_by_structure(crlm_result.structure_labels(), reference, ignore=reference == 255)
    assert scores["kidney"] >= 0.8
    center = {
        s.id: (crlm_result.affine @ [*np.argwhere(crlm_result.mask(s)).mean(0)[::-1], 1])[0]
        for s in crlm_result.segments
    }
    assert center["kidney_right"] < center["kidney_left"]


def test_the_dicom_folder_of_the_same_scan_gives_the_same_label_map_but_for_ties(
    a_parser: KidneyParser, crlm_result: LabelMap, shared_data: Path
) -> None:
    result = a_parser.parse(read_ct(shared_data / "dicom" / "crlm-ct-1006"))
    # The affines differ by rounding (4e-7 mm), which decides where two classes are equally likely.
    assert np.count_nonzero(result.array != crlm_result.array) <= 5
    assert result.segments == crlm_result.segments


def read_ct_labels(path: Path) -> np.ndarray:
    import SimpleITK as sitk

    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
