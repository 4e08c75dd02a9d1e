"""DICOM Segmentations: read back by a reader of our own to the same label map, and what their headers say."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_seg_files import PlainSegmentation, read_plain_seg, write_ct_series

from KidneyParsingLib import __version__
from KidneyParsingLib.anatomy import SEGMENTS, Structure, further_segment, segment
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.volumes import dicom_seg
from KidneyParsingLib.volumes.dicom_seg import write_dicom_seg
from KidneyParsingLib.volumes.geometry import make_affine
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import LabelMap

pytest.importorskip("highdicom", reason="DICOM SEG needs highdicom (the extra dicom)")

SHAPE = (20, 24, 28)
TURN = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
AFFINES = {
    "axial": make_affine((1.5, 1.6, 2.5), (-31.5, 42.25, -500.0), np.eye(3)),
    "oblique": make_affine((1.5, 1.6, 2.5), (-31.5, 42.25, -500.0), TURN),
    "coronal": make_affine((1.5, 1.6, 2.5), (5.0, 6.0, 7.0), np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])),
}


def hounsfield() -> np.ndarray:
    return np.random.default_rng(1).integers(-1000, 1500, SHAPE).astype(np.int16)


def labels_of(affine: np.ndarray) -> LabelMap:
    """Every segment as a box of its own size; the cyst is empty, and two touch the border."""
    segments = (*SEGMENTS[:3], further_segment("tumor", 2, 0), *SEGMENTS[3:])
    array = np.zeros(SHAPE, np.uint8)
    for index, item in enumerate(segments[:-1]):
        array[2 * index : 2 * index + 3, 3 : 5 + index, 6 : 8 + 2 * index] = item.value
    array[-1, -1, -1] = segments[0].value
    return LabelMap(array, affine, segments)


@pytest.fixture
def a_series(tmp_path: Path) -> Path:
    write_ct_series(tmp_path / "ct", hounsfield(), AFFINES["oblique"])
    return tmp_path / "ct"


def written(label_map: LabelMap, source: object, path: Path, **options: object) -> PlainSegmentation:
    write_dicom_seg(label_map, source, path, **options)
    return read_plain_seg(path, label_map.array.shape, label_map.affine)


def expect_same(found: PlainSegmentation, label_map: LabelMap) -> None:
    expected = {item.name: label_map.mask(item) for item in label_map.segments if label_map.mask(item).any()}
    assert list(found.items()) == list(expected)
    for name, mask in expected.items():
        np.testing.assert_array_equal(found.mask(name), mask, err_msg=name)


@pytest.mark.parametrize("grid", AFFINES)
def test_reads_back_to_the_identical_label_map(tmp_path: Path, grid: str) -> None:
    write_ct_series(tmp_path / "ct", hounsfield(), AFFINES[grid])
    volume = read_ct(tmp_path / "ct")
    label_map = labels_of(volume.affine)
    found = written(label_map, tmp_path / "ct", tmp_path / "out.dcm")
    expect_same(found, label_map)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", "out.dcm"]


def test_frames_refer_to_the_slices_they_lie_on(tmp_path: Path, a_series: Path) -> None:
    label_map = labels_of(read_ct(a_series).affine)
    file = written(label_map, a_series, tmp_path / "out.dcm").file
    slices = {header.SOPInstanceUID: header for header in map(pydicom.dcmread, a_series.iterdir())}
    assert file.StudyInstanceUID == next(iter(slices.values())).StudyInstanceUID
    (series,) = file.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == next(iter(slices.values())).SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} == set(slices)
    for groups in file.PerFrameFunctionalGroupsSequence:
        (source,) = groups.DerivationImageSequence[0].SourceImageSequence
        place = slices[source.ReferencedSOPInstanceUID].ImagePositionPatient
        assert groups.PlanePositionSequence[0].ImagePositionPatient == place


def test_files_may_be_named_one_by_one_in_any_order(tmp_path: Path, a_series: Path) -> None:
    label_map = labels_of(read_ct(a_series).affine)
    expect_same(written(label_map, sorted(a_series.iterdir())[::-1], tmp_path / "out.dcm"), label_map)


def test_real_series_reads_back_identical(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "dicom" / "crlm-ct-1006"
    if not folder.is_dir():
        pytest.skip(f"needs the real DICOM series in {folder}")
    volume = read_ct(folder)
    kidney, tumor = segment("kidney_left"), segment("tumor")
    array = np.where(volume.array > 250, kidney.value, 0).astype(np.uint8)
    array[volume.array < -900] = tumor.value
    label_map = LabelMap(array, volume.affine, (kidney, tumor))
    expect_same(written(label_map, folder, tmp_path / "out.dcm"), label_map)


def turned(label_map: LabelMap, axes: tuple[int, int, int], reverse: tuple[int, ...]) -> LabelMap:
    """The same voxels with array axes in another order, some reversed."""
    matrix = np.eye(4)
    array = label_map.array
    for axis in reverse:
        column = 2 - axis
        matrix[:3, 3] += matrix[:3, column] * (array.shape[axis] - 1)
        matrix[:3, column] *= -1
    array = np.flip(array, reverse).transpose(axes)
    columns = [2 - axis for axis in axes][::-1]
    return replace(label_map, array=array, affine=(label_map.affine @ matrix)[:, [*columns, 3]])


@pytest.mark.parametrize(("axes", "reverse"), [((0, 1, 2), (0,)), ((0, 1, 2), (1, 2)), ((2, 0, 1), (0, 2))])
def test_a_label_map_may_have_its_axes_turned(
    tmp_path: Path, a_series: Path, axes: tuple[int, int, int], reverse: tuple[int, ...]
) -> None:
    label_map = labels_of(read_ct(a_series).affine)
    write_dicom_seg(turned(label_map, axes, reverse), a_series, tmp_path / "out.dcm")
    expect_same(read_plain_seg(tmp_path / "out.dcm", SHAPE, label_map.affine), label_map)


def test_a_cropped_or_padded_label_map_is_brought_to_its_place(tmp_path: Path, a_series: Path) -> None:
    label_map = labels_of(read_ct(a_series).affine)
    label_map.array[-1, -1, -1] = 0
    shift = np.eye(4)
    shift[:3, 3] = 2, 1, -3
    cropped = np.pad(label_map.array, ((3, 0), (0, 0), (0, 0)))[:, 1:-1, 2:-2]
    write_dicom_seg(LabelMap(cropped, label_map.affine @ shift, label_map.segments), a_series, tmp_path / "out.dcm")
    expect_same(read_plain_seg(tmp_path / "out.dcm", SHAPE, label_map.affine), label_map)


def test_uneven_slices_have_planes_of_their_own(tmp_path: Path) -> None:
    affine = AFFINES["oblique"]
    paths = write_ct_series(tmp_path / "ct", hounsfield(), affine)
    for path in paths[10:]:
        image = pydicom.dcmread(path)
        moved = np.array(image.ImagePositionPatient, float) + 0.3 * affine[:3, 2]
        image.ImagePositionPatient = [f"{value:.8f}" for value in moved]
        image.save_as(path)
    volume = read_ct(tmp_path / "ct")
    assert any("resampled" in note for note in volume.notes)
    label_map = labels_of(volume.affine)
    found = written(label_map, tmp_path / "ct", tmp_path / "out.dcm")
    expect_same(found, label_map)
    (series,) = found.file.ReferencedSeriesSequence
    assert len(series.ReferencedInstanceSequence) == len(paths)
    # No slice is named where a frame lies on none.
    assert not any(groups.DerivationImageSequence for groups in found.file.PerFrameFunctionalGroupsSequence)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: make_affine((1.5, 1.6, 2.4), m[:3, 3], TURN), "does not lie on the voxels"),
        (lambda m: m @ make_affine((1, 1, 1), (0.5, 0, 0), np.eye(3)), "does not lie on the voxels"),
        (lambda m: m @ make_affine((1, 1, 1), (0, 0, 5), np.eye(3)), "reaches beyond"),
        (lambda m: m @ make_affine((1, 1, 1), (0, 0, 500), np.eye(3)), "reaches beyond"),
    ],
)
def test_a_label_map_of_another_scan_is_refused(tmp_path: Path, a_series: Path, change: object, words: str) -> None:
    label_map = labels_of(change(read_ct(a_series).affine))
    with pytest.raises(InputError, match=words):
        write_dicom_seg(label_map, a_series, tmp_path / "out.dcm")
    assert not (tmp_path / "out.dcm").exists()


@pytest.mark.parametrize("name", ["StudyInstanceUID", "FrameOfReferenceUID"])
def test_a_series_without_identifiers_is_refused(tmp_path: Path, name: str) -> None:
    write_ct_series(tmp_path / "ct", hounsfield(), AFFINES["axial"], **{name: None})
    with pytest.raises(InputError, match=f"have no {name}"):
        write_dicom_seg(labels_of(AFFINES["axial"]), tmp_path / "ct", tmp_path / "out.dcm")


def test_an_anonymized_series_is_good_enough(tmp_path: Path) -> None:
    gone = ["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber"]
    gone += ["StudyID", "ReferringPhysicianName", "SeriesNumber", "Manufacturer", "PatientAge", "KVP"]
    write_ct_series(tmp_path / "ct", hounsfield(), AFFINES["axial"], **dict.fromkeys(gone))
    label_map = labels_of(read_ct(tmp_path / "ct").affine)
    found = written(label_map, tmp_path / "ct", tmp_path / "out.dcm")
    expect_same(found, label_map)
    assert found.file.PatientName == "" and found.file.PatientID in ("", None)


@pytest.mark.parametrize("sex", ["U", "N"])
def test_an_unknown_sex_is_left_open(tmp_path: Path, sex: str) -> None:
    write_ct_series(tmp_path / "ct", hounsfield(), AFFINES["axial"], PatientSex=sex)
    label_map = labels_of(read_ct(tmp_path / "ct").affine)
    assert not written(label_map, tmp_path / "ct", tmp_path / "out.dcm").file.PatientSex


def test_other_things_than_a_series_are_refused(tmp_path: Path, a_series: Path) -> None:
    label_map = labels_of(read_ct(a_series).affine)
    (tmp_path / "empty").mkdir()
    for source, words in ((tmp_path / "empty", "no CT series"), (a_series / "IM0001", "give their folder")):
        with pytest.raises(InputError, match=words):
            write_dicom_seg(label_map, source, tmp_path / "out.dcm")
    with pytest.raises(InputError, match="no segment with voxels"):
        write_dicom_seg(replace(label_map, array=np.zeros(SHAPE, np.uint8)), a_series, tmp_path / "out.dcm")
    with pytest.raises(InputError, match="end it in .dcm"):
        write_dicom_seg(label_map, a_series, tmp_path / "out.nrrd")


def test_missing_highdicom_is_said_with_what_to_install(
    tmp_path: Path, a_series: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom_seg, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install"):
        write_dicom_seg(labels_of(AFFINES["oblique"]), a_series, tmp_path / "out.dcm")


def code(item: pydicom.Dataset) -> tuple[str, str, str]:
    return item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning


@pytest.fixture
def a_file(tmp_path: Path, a_series: Path) -> PlainSegmentation:
    label_map = labels_of(read_ct(a_series).affine)
    return written(label_map, a_series, tmp_path / "out.dcm", model="ba_net", reviewed={"tumor_2"})


def test_segments_are_coded_with_side_and_region(a_file: PlainSegmentation) -> None:
    items = a_file.items()
    expected = {
        "Right kidney": ("123037004", "64033007", "24028007", None),
        "Left kidney": ("123037004", "64033007", "7771000", None),
        "Tumor": ("49755003", "108369006", None, "64033007"),
        "Tumor 2": ("49755003", "108369006", None, "64033007"),
        "Artery": ("85756007", "51114001", None, None),
        "Vein": ("85756007", "29092000", None, None),
        "Right ureter": ("123037004", "87953007", "24028007", None),
        "Left ureter": ("123037004", "87953007", "7771000", None),
    }
    assert list(items) == list(expected), "the cyst has no voxels and is left out"
    for label, (category, kind, side, region) in expected.items():
        item = items[label]
        assert code(item.SegmentedPropertyCategoryCodeSequence[0])[:2] == (category, "SCT")
        assert code(item.SegmentedPropertyTypeCodeSequence[0])[:2] == (kind, "SCT")
        sides = item.SegmentedPropertyTypeCodeSequence[0].get("SegmentedPropertyTypeModifierCodeSequence", [])
        assert [code(found)[:2] for found in sides] == ([(side, "SCT")] if side else [])
        assert [code(found)[0] for found in item.get("AnatomicRegionSequence", [])] == ([region] if region else [])
    assert [int(item.SegmentNumber) for item in items.values()] == list(range(1, 9))


def test_tumors_can_be_tracked_one_by_one(a_file: PlainSegmentation) -> None:
    items = a_file.items()
    tracked = {label: item.TrackingID for label, item in items.items() if "TrackingID" in item}
    assert tracked == {"Tumor": "tumor_1", "Tumor 2": "tumor_2"}
    assert items["Tumor"].TrackingUID != items["Tumor 2"].TrackingUID


def test_says_what_made_it_and_that_it_is_research(a_file: PlainSegmentation) -> None:
    file = a_file.file
    assert file.Modality == "SEG" and file.SegmentationType == "BINARY" and file.ContentLabel == "KIDNEYPARSING"
    assert file.SegmentsOverlap == "NO" and file.Manufacturer == "KidneyParsing"
    assert "research" in file.SeriesDescription.lower() and "research" in file.ContentDescription.lower()
    assert "ContentCreatorName" in file and file.DeviceSerialNumber
    assert file.ContentQualification == "RESEARCH" and file.SeriesNumber == 103
    for label, item in a_file.items().items():
        assert item.SegmentAlgorithmType == ("SEMIAUTOMATIC" if label == "Tumor 2" else "AUTOMATIC")
        (algorithm,) = item.SegmentationAlgorithmIdentificationSequence
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("KidneyParsing", __version__)
        assert algorithm.AlgorithmParameters == "model=ba_net" and item.SegmentAlgorithmName == "KidneyParsing"


def rgb_of(cielab: list[int]) -> np.ndarray:
    """RGB 0-255 of a Recommended Display CIELab Value (PS3.3, C.10.7.1.1), by scikit-image."""
    color = pytest.importorskip("skimage.color", reason="scikit-image converts the colours back")
    lightness, a, b = np.array(cielab, float) / 65535
    return color.lab2rgb([100 * lightness, 255 * a - 128, 255 * b - 128], illuminant="D65") * 255


def test_colours_are_those_of_the_table(a_file: PlainSegmentation) -> None:
    for item in SEGMENTS[:-1]:
        stored = a_file.items()[item.name].RecommendedDisplayCIELabValue
        np.testing.assert_allclose(rgb_of(list(stored)), item.structure.color, atol=2)


def test_a_segment_of_the_users_keeps_its_codes(tmp_path: Path, a_series: Path) -> None:
    stone = Structure("stone", 9, SEGMENTS[2].structure.category, SEGMENTS[2].structure.type, (1, 2, 3), 1.0)
    item = replace(segment("artery"), id="S_1", name="Stein", value=77, structure=stone)
    array = np.zeros(SHAPE, np.uint8)
    array[5:8, 5:8, 5:8] = 77
    label_map = LabelMap(array, read_ct(a_series).affine, (item,))
    expect_same(written(label_map, a_series, tmp_path / "out.dcm"), label_map)


@pytest.mark.parametrize(
    ("error", "words"),
    [(ValueError("Patient's Name is wrong."), "do not follow DICOM"), (OSError(28, "No space left"), "No space left")],
)
def test_a_file_that_fails_leaves_the_older_one(
    tmp_path: Path, a_series: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    (tmp_path / "out.dcm").write_text("precious")
    monkeypatch.setattr(dicom_seg, "_dataset", fail)
    with pytest.raises(InputError, match=words):
        write_dicom_seg(labels_of(read_ct(a_series).affine), a_series, tmp_path / "out.dcm")
    assert (tmp_path / "out.dcm").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", "out.dcm"]


def test_highdicom_reads_it_back_too(tmp_path: Path, a_series: Path, a_file: PlainSegmentation) -> None:
    import highdicom

    label_map = labels_of(read_ct(a_series).affine)
    found = highdicom.seg.segread(tmp_path / "out.dcm").get_volume(combine_segments=True)
    # highdicom gives the planes from the first to the last with voxels, in its own direction and order (z, y, x).
    to_grid = np.linalg.inv(label_map.affine) @ found.affine
    indices = np.argwhere(found.array)
    exact = indices @ to_grid[:3, :3].T + to_grid[:3, 3]
    x, y, z = np.rint(exact).astype(int).T
    np.testing.assert_allclose(exact, np.stack([x, y, z], axis=1), atol=0.01)
    numbers = np.zeros(SHAPE, np.uint8)
    numbers[z, y, x] = found.array[tuple(indices.T)]
    expected = np.zeros(SHAPE, np.uint8)
    for number, item in enumerate(label_map.segments, 1):
        expected[label_map.mask(item)] = number
    np.testing.assert_array_equal(numbers, expected)


def test_dciodvfy_finds_no_error(tmp_path: Path, a_file: PlainSegmentation) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    command = ["dciodvfy", "-new", str(tmp_path / "out.dcm")]
    report = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = (report.stdout + report.stderr).splitlines()
    assert any("Segmentation" in line for line in lines)
    assert not [line for line in lines if line.startswith("Error")]
