"""`export`, and `segment` to DICOM SEG: what is written, printed and refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_seg_files import read_plain_seg, write_ct_series

from KidneyParsingLib.anatomy import segment
from KidneyParsingLib.cli import main
from KidneyParsingLib.volumes.geometry import affine_of_image, make_affine
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import LabelMap
from KidneyParsingLib.volumes.writing import write_label_map

AFFINE = make_affine((1.5, 1.6, 2.5), (-31.5, 42.25, -500.0), np.eye(3))
HU = np.random.default_rng(1).integers(-1000, 1500, (20, 24, 28)).astype(np.int16)
KIDNEY, TUMOR = segment("kidney_left"), segment("tumor")


@pytest.fixture
def dicom_folder(tmp_path: Path) -> Path:
    pytest.importorskip("highdicom", reason="DICOM SEG needs highdicom (the extra dicom)")
    write_ct_series(tmp_path / "series", HU, AFFINE)
    return tmp_path / "series"


@pytest.fixture
def a_label_map() -> LabelMap:
    array = np.zeros(HU.shape, np.uint8)
    array[3:12, 4:15, 5:16] = KIDNEY.value
    array[12:15, 6:12, 7:12] = TUMOR.value
    return LabelMap(array, AFFINE, (KIDNEY, TUMOR))


@pytest.fixture
def a_segmentation(a_label_map: LabelMap, tmp_path: Path, ct_path: Path) -> Path:
    """A .seg.nrrd beside the CT; the current folder is another, empty one (see ct_path)."""
    write_label_map(a_label_map, tmp_path / "in" / "kidneys.seg.nrrd")
    return tmp_path / "in" / "kidneys.seg.nrrd"


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def test_segment_writes_dicom_seg_of_a_dicom_folder(dicom_folder: Path, ct_path: Path) -> None:
    run("segment", dicom_folder, "-o", "out.dcm")
    volume = read_ct(dicom_folder)
    found = read_plain_seg(Path("out.dcm"), volume.array.shape, volume.affine)
    np.testing.assert_array_equal(found.mask("Right kidney"), volume.array > 1000)
    (algorithm,) = found.items()["Right kidney"].SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmParameters == "model=ba_net"
    assert [path.name for path in Path().iterdir()] == ["out.dcm"]


def test_segment_refuses_dicom_seg_of_other_files_before_any_work(
    ct_path: Path, error_of: Callable[..., str], fake_parser: type, dicom_folder: Path
) -> None:
    assert "give their folder" in error_of(2, "segment", ct_path, "-o", "out.dcm")
    assert "no file or folder" in error_of(2, "segment", "missing", "-o", "out.dcm")
    assert "no CT series" in error_of(2, "segment", ct_path.parent, "-o", "out.dcm")
    assert "no folder" in error_of(2, "segment", dicom_folder, "-o", "missing/out.dcm")
    assert fake_parser.options is None


def test_segment_says_what_is_missing_for_dicom(
    dicom_folder: Path, ct_path: Path, error_of: Callable[..., str], fake_parser: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("KidneyParsingLib.volumes.dicom_seg.find_spec", lambda name: None)
    assert "pip install" in error_of(2, "segment", dicom_folder, "-o", "out.dcm")
    assert fake_parser.options is None


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_nifti(a_segmentation: Path, a_label_map: LabelMap, capsys: pytest.CaptureFixture[str], name: str) -> None:
    run("export", a_segmentation, "-o", name)
    found = sitk.GetArrayFromImage(sitk.ReadImage(name))
    np.testing.assert_array_equal(found, a_label_map.structure_labels())
    assert capsys.readouterr().out == f"written: {name}\n"


def test_a_cropped_segmentation_comes_onto_the_grid_of_the_ct(tmp_path: Path, ct_path: Path) -> None:
    ct = read_ct(ct_path)
    array = np.zeros(ct.array.shape, np.uint8)
    array[3:12, 4:15, 5:16] = KIDNEY.value
    corner = np.eye(4)
    corner[:3, 3] = 4, 3, 2
    write_label_map(LabelMap(array[2:13, 3:16, 4:18], ct.affine @ corner, (KIDNEY,)), tmp_path / "in" / "a.seg.nrrd")
    run("export", tmp_path / "in" / "a.seg.nrrd", "-o", "a.nii.gz", "--ct", ct_path)
    image = sitk.ReadImage("a.nii.gz")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image) > 0, array > 0)
    np.testing.assert_allclose(affine_of_image(image), ct.affine, atol=1e-3)


def test_dicom(a_segmentation: Path, a_label_map: LabelMap, dicom_folder: Path) -> None:
    run("export", a_segmentation, "-o", "a.dcm", "--ct", dicom_folder)
    found = read_plain_seg(Path("a.dcm"), a_label_map.array.shape, a_label_map.affine)
    np.testing.assert_array_equal(found.mask("Left kidney"), a_label_map.mask(KIDNEY))
    np.testing.assert_array_equal(found.mask("Tumor"), a_label_map.mask(TUMOR))


@pytest.mark.parametrize(
    ("format", "names"),
    [
        (None, ["kidney_left.stl", "tumor.stl"]),
        ("stl", ["kidney_left.stl", "tumor.stl"]),
        ("obj", ["kidneys.mtl", "kidneys.obj"]),
        ("glb", ["kidneys.glb"]),
    ],
)
def test_surfaces_go_into_a_folder(
    a_segmentation: Path, capsys: pytest.CaptureFixture[str], format: str | None, names: list[str]
) -> None:
    run("export", a_segmentation, "-o", "plan", *(["--format", format] if format else []))
    assert sorted(path.name for path in Path("plan").iterdir()) == names
    assert capsys.readouterr().out.splitlines() == [f"written: plan/{name}" for name in names]


def test_only_some_structures(a_segmentation: Path, a_label_map: LabelMap) -> None:
    run("export", a_segmentation, "-o", "plan", "--structures", "tumor,artery")
    assert [path.name for path in Path("plan").iterdir()] == ["tumor.stl"]
    run("export", a_segmentation, "-o", "a.nii.gz", "--structures", "tumor")
    found = sitk.GetArrayFromImage(sitk.ReadImage("a.nii.gz"))
    np.testing.assert_array_equal(found > 0, a_label_map.mask(TUMOR))


def test_files_in_a_folder_are_replaced_only_when_asked(
    a_segmentation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plan").mkdir()
    Path("plan/tumor.stl").write_text("precious")
    assert main(["export", str(a_segmentation), "-o", "plan"]) == 2
    assert "plan/tumor.stl exists already" in capsys.readouterr().err
    assert [path.read_text() for path in Path("plan").iterdir()] == ["precious"]
    run("export", a_segmentation, "-o", "plan", "--replace")
    assert {path.name for path in Path("plan").iterdir()} == {"tumor.stl", "kidney_left.stl"}
    assert Path("plan/tumor.stl").stat().st_size > 100


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "a.dcm"], "name their folder with --ct"),
        (["-o", "a.dcm", "--ct", "{ct}"], "give their folder"),
        (["-o", "a.dcm", "--ct", "missing"], "no file or folder missing"),
        (["-o", "a.nii.gz", "--ct", "missing"], "no file or folder missing"),
        (["-o", "a.nii.gz", "--ct", "{ct}"], "does not lie on the voxels"),
        (["-o", "a.stl"], "-o a --format stl"),
        (["-o", "a.glb"], "-o a --format glb"),
        (["-o", "a.seg.nrrd"], "no name that we write"),
        (["-o", "a.nii.gz", "--format", "stl"], "leave it out"),
        (["-o", "plan", "--format", "ply"], "invalid choice"),
        (["-o", "plan", "--structures", "spleen"], "no structure 'spleen'"),
        (["-o", "plan", "--structures", "cyst"], "no segment with voxels"),
        (["-o", "missing/plan"], "no folder missing"),
        (["-o", "missing/a.nii.gz"], "no folder missing"),
        ([], "-o"),
    ],
)
def test_bad_arguments_are_one_line(
    a_segmentation: Path, ct_path: Path, error_of: Callable[..., str], arguments: list[str], words: str
) -> None:
    assert words in error_of(2, "export", a_segmentation, *(text.format(ct=ct_path) for text in arguments))


def test_a_segmentation_that_cannot_be_read_is_one_line(ct_path: Path, error_of: Callable[..., str]) -> None:
    assert "no file" in error_of(2, "export", "missing.seg.nrrd", "-o", "plan")
    assert "does not describe segments" in error_of(2, "export", ct_path, "-o", "plan")
