"""Data sets in every layout: which cases are found, what their labels mean, and the sentence when files are missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import tiny_scans

from KidneyParsingLib.anatomy import STRUCTURES
from KidneyParsingLib.cli import main
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.training.data.kipa import stored_offset
from KidneyParsingLib.training.data.layouts import LAYOUTS, find_cases, labelled_structures
from KidneyParsingLib.training.data.made import write_dataset_json
from KidneyParsingLib.training.data.nnunet import structure_named
from KidneyParsingLib.volumes.volume import LabelMap, Volume

KIDNEY, TUMOR, ARTERY, VEIN, URETER, CYST = range(1, 7)

# Layout, how to make a folder in it, our label of each stored value, the structures that are labelled.
FOUND: dict[str, tuple[Callable[[Path], Path], dict[int, int], tuple[str, ...]]] = {
    "KiPA22": (
        tiny_scans.kipa,
        {1: VEIN, 2: KIDNEY, 3: ARTERY, 4: TUMOR},
        ("kidney", "tumor", "artery", "vein"),
    ),
    "KiTS19": (
        lambda folder: tiny_scans.kits(folder, "segmentation.nii.gz", (1, 2)),
        {1: KIDNEY, 2: TUMOR},
        ("kidney", "tumor"),
    ),
    "KiTS21": (
        lambda folder: tiny_scans.kits(folder, "aggregated_MAJ_seg.nii.gz", (1, 2, 3)),
        {1: KIDNEY, 2: TUMOR, 3: CYST},
        ("kidney", "tumor", "cyst"),
    ),
    "KiTS23": (
        lambda folder: tiny_scans.kits(folder, "segmentation.nii.gz", (1, 2, 3)),
        {1: KIDNEY, 2: TUMOR, 3: CYST},
        ("kidney", "tumor", "cyst"),
    ),
    "nnU-Net": (
        lambda folder: tiny_scans.nnunet(folder, {"background": 0, "Renal_Vein": 1, "left kidney": 2, "spleen": 3}),
        {0: 0, 1: VEIN, 2: KIDNEY, 3: 0},
        ("kidney", "vein"),
    ),
    "ours": (
        tiny_scans.ours,
        {label: label for label in (*(s.label for s in STRUCTURES), 101, 102, 103, 104, 254, 255)},
        tuple(s.name for s in STRUCTURES),
    ),
}


def test_every_layout_is_tested() -> None:
    assert set(FOUND) == set(LAYOUTS)


@pytest.mark.parametrize("layout", FOUND)
@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_cases_and_the_meaning_of_their_labels(layout: str, spelling: Callable[[str], str], tmp_path: Path) -> None:
    make, structure_of, names = FOUND[layout]
    cases = find_cases(spelling(layout), make(tmp_path))
    assert cases and all(case.image.is_file() and case.labels.is_file() for case in cases)
    assert all(case.structure_of == structure_of for case in cases)
    assert all(case.may_be_shifted == (layout == "KiPA22") for case in cases)
    assert labelled_structures(cases) == names


def test_names_pair_images_with_their_labels(tmp_path: Path) -> None:
    case = find_cases("nnunet", FOUND["nnU-Net"][0](tmp_path))[0]
    assert (case.name, case.image.name, case.labels.name) == ("pat_7", "pat_7_0000.nii.gz", "pat_7.nii.gz")
    assert case.notes == (f"The label 'spleen' of {tmp_path.name} is taken as background.",)


def test_folders_inside_the_download_are_found_too(tmp_path: Path) -> None:
    assert len(find_cases("kipa22", tiny_scans.kipa(tmp_path / "a") / "train")) == 2
    tiny_scans.kits(tmp_path / "b" / "data", "segmentation.nii.gz", (1,))
    assert len(find_cases("kits19", tmp_path / "b")) == 2


def test_hidden_files_of_macos_are_no_cases(tmp_path: Path) -> None:
    tiny_scans.ours(tmp_path)
    (tmp_path / "imagesTr" / "._made_00001_0000.nii.gz").touch()
    assert len(find_cases("ours", tmp_path)) == 1


def test_only_kits19_s_test_cases_may_lack_labels(tmp_path: Path) -> None:
    tiny_scans.kits(tmp_path, "segmentation.nii.gz", (1, 2), (3, 209, 210, 299))
    for number in (210, 299):
        (tmp_path / f"case_{number:05d}" / "segmentation.nii.gz").unlink()
    assert [case.name for case in find_cases("kits19", tmp_path)] == ["case_00003", "case_00209"]
    with pytest.raises(InputError, match="case_00210/segmentation"):
        find_cases("kits23", tmp_path)
    (tmp_path / "case_00209" / "segmentation.nii.gz").unlink()
    with pytest.raises(InputError, match="case_00209/segmentation"):
        find_cases("kits19", tmp_path)


@pytest.mark.parametrize("layout", FOUND)
def test_an_empty_folder_gives_one_sentence_with_the_layout_s_files(layout: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        find_cases(layout, tmp_path)
    text = str(error.value)
    assert str(tmp_path) in text and f"the layout {layout} needs" in text and text.count(". ") == 0


@pytest.mark.parametrize("layout", FOUND)
@pytest.mark.parametrize("kind", ["image", "labels"])
def test_the_first_missing_file_is_named(layout: str, kind: str, tmp_path: Path) -> None:
    folder = FOUND[layout][0](tmp_path)
    missing = getattr(find_cases(layout, folder)[0], kind)
    missing.unlink()
    with pytest.raises(InputError) as error:
        find_cases(layout, folder)
    assert str(missing) in str(error.value)


def test_unknown_layouts_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'kits20'; choose from: KiPA22, KiTS19"):
        find_cases("kits20", tmp_path)
    with pytest.raises(InputError, match="nowhere"):
        find_cases("ours", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kidney", "kidney"), ("Kidneys", "kidney"), ("kidney_left", "kidney"), ("Right Kidney", "kidney"),
        ("renal tumor", "tumor"), ("kidney-tumour", "tumor"), ("Lesion", "tumor"), ("renal_cell_carcinoma", "tumor"),
        ("renal artery", "artery"), ("Arteries", "artery"), ("aorta", "artery"), ("renal_veins_right", "vein"),
        ("IVC", "vein"), ("inferior_vena_cava", "vein"), ("ureter", "ureter"), ("renal collecting system", "ureter"),
        ("cyst", "cyst"), ("kidney_cyst_left", "cyst"),
        ("liver tumor", None), ("portal_vein_and_splenic_vein", None), ("pelvis", None), ("spleen", None),
        ("pulmonary vein", None), ("left", None), ("renal", None), ("", None), ("background", None), ("ignore", None),
    ],
)  # fmt: skip
def test_names_of_labels(name: str, expected: str | None) -> None:
    assert structure_named(name) == expected


def test_a_value_has_the_name_of_its_smallest_region(tmp_path: Path) -> None:
    """KiTS23 as nnU-Net regions: kidney {1, 2, 3} around tumor {2} and cyst {3}."""
    regions = {"background": 0, "tumor": 2, "kidney": [1, 2, 3], "cyst": [3]}
    assert find_cases("nnunet", tiny_scans.nnunet(tmp_path, regions))[0].structure_of == {0: 0, 1: 1, 2: 2, 3: 6}


def test_the_channel_called_ct_is_taken(tmp_path: Path) -> None:
    tiny_scans.nnunet(tmp_path, {"kidney": 1}, (1,), channel_names={"0": "PET", "1": "CT"})
    tiny_scans.write(tiny_scans.tiny_hu(), tmp_path / "imagesTr" / "pat_7_0001.nii.gz")
    assert find_cases("nnunet", tmp_path)[0].image.name == "pat_7_0001.nii.gz"


GOOD = {"channel_names": {"0": "CT"}, "labels": {"kidney": 1}, "file_ending": ".nii.gz"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("\udcff", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1]", "labels"),
        (json.dumps(GOOD | {"labels": {"0": "background", "1": "kidney"}}), "convert it to v2"),
        (json.dumps(GOOD | {"labels": {"kidney": 300}}), "labels"),
        (json.dumps(GOOD | {"labels": {"kidney": []}}), "labels"),
        (json.dumps(GOOD | {"labels": {"background": 0, "liver": 1}}), "no label that we know"),
        (json.dumps(GOOD | {"file_ending": ".png"}), "file_ending"),
        (json.dumps(GOOD | {"file_ending": [".nii.gz"]}), "file_ending"),
        (json.dumps(GOOD | {"channel_names": {"0": "T1", "1": "T2"}}), "no channel called CT"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "channel_names"}), "no channel called CT"),
    ],
)
def test_a_broken_dataset_json_gives_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    tiny_scans.ours(tmp_path)
    (tmp_path / "dataset.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=words) as error:
        find_cases("nnU-Net", tmp_path)
    assert "dataset.json" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("stored", [0, 1024])
def test_the_fat_peak_tells_the_offset(stored: int) -> None:
    assert stored_offset(tiny_scans.tiny_hu() + np.int16(stored)) == stored


def test_bone_near_924_hu_is_not_taken_for_fat() -> None:
    hu = tiny_scans.tiny_hu()
    hu[:2] = np.random.default_rng(0).normal(924, 20, hu[:2].shape)
    assert stored_offset(hu) == 0


@pytest.mark.parametrize("shift", [200, -300, 500])
def test_an_image_without_fat_at_either_place_is_refused(shift: int) -> None:
    with pytest.raises(InputError, match=r"x\.nii\.gz shows fat neither near -100 nor 924"):
        stored_offset(tiny_scans.tiny_hu() + np.int16(shift), "x.nii.gz")


@pytest.mark.parametrize("name", ["crlm-ct-1006", "cptac-c3n-00249", "totalsegmentator-s0009"])
def test_real_scans_tell_their_offset(name: str, shared_data: Path) -> None:
    """As in KiPA22 values below air are cut off: nothing is below 0 where 1024 is added."""
    image = sitk.ReadImage(str(shared_data / "ct" / f"{name}.nii.gz"))
    hu = np.maximum(sitk.GetArrayViewFromImage(image)[::3, ::3, ::3].astype(np.int16), -1024)
    assert stored_offset(hu) == 0
    assert stored_offset(hu + np.int16(1024)) == 1024


def test_our_dataset_json_is_read_as_nnu_net_s(tmp_path: Path) -> None:
    path = write_dataset_json(tiny_scans.ours(tmp_path))
    description = json.loads(path.read_text())
    assert description["channel_names"] == {"0": "CT"} and description["numTraining"] == 1
    assert description["labels"] == {"background": 0, **{s.name: s.label for s in STRUCTURES}}
    assert labelled_structures(find_cases("nnunet", tmp_path)) == tuple(s.name for s in STRUCTURES)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dataset.json", "imagesTr", "labelsTr"]


def test_synthesize_writes_a_data_set_that_both_layouts_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake_scan(atlases: object, plan: object) -> tuple[Volume, LabelMap]:
        return Volume(tiny_scans.tiny_hu(), np.diag([2.0, 2, 2, 1])), LabelMap(
            np.zeros(tiny_scans.SHAPE, np.uint8), np.diag([2.0, 2, 2, 1])
        )

    monkeypatch.setattr("KidneyParsingLib.synthesis.scans.scan.make_scan", fake_scan)
    assert main(["synthesize", str(tmp_path / "out"), "--n", "2", "--seed", "5", "--spl", "."]) == 0
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["numTraining"] == 2
    for layout in ("ours", "nnU-Net"):
        assert [case.name for case in find_cases(layout, tmp_path / "out")] == ["made_00005", "made_00006"]
