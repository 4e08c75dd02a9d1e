"""Which files belong together, and labels of challenges as ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import structure
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.evaluation.case_files import CaseFiles, case_files, read_case


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders; results are named after CT, references too, with another suffix; other files lie about."""
    for name in ("results", "references"):
        (tmp_path / name).mkdir()
    for name in ("results/b.seg.nrrd", "results/a.nii.gz", "references/a.nii.gz", "references/b.nii.gz"):
        (tmp_path / name).touch()
    for name in ("results/b.png", "results/.b.12ab.seg.nrrd", "references/readme.md"):
        (tmp_path / name).touch()
    return tmp_path / "results", tmp_path / "references"


def labels_file(path: Path, values: list[int], spacing: tuple[float, ...] = (1, 1, 1)) -> Path:
    image = sitk.GetImageFromArray(np.array(values, np.uint8).reshape(1, 1, -1))
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))
    return path


def test_files_of_equal_name_are_one_case(folders: tuple[Path, Path]) -> None:
    results, references = folders
    assert case_files(*folders) == [
        CaseFiles("a", results / "a.nii.gz", references / "a.nii.gz"),
        CaseFiles("b", results / "b.seg.nrrd", references / "b.nii.gz"),
    ]
    assert case_files(results / "b.seg.nrrd", references / "a.nii.gz")[0].name == "b"


def test_what_does_not_fit_is_named(folders: tuple[Path, Path], tmp_path: Path) -> None:
    results, references = folders
    with pytest.raises(InputError, match="b.seg.nrrd is not; give two files or two folders"):
        case_files(results / "b.seg.nrrd", references)
    (results / "c.nii").touch()
    with pytest.raises(InputError, match=r"no file in .*references for .*c.nii"):
        case_files(*folders)
    (references / "c.mha").touch()
    (references / "d.nrrd").touch()
    with pytest.raises(InputError, match=r"no file in .*results for .*d.nrrd"):
        case_files(*folders)
    (results / "a.nrrd").touch()
    with pytest.raises(InputError, match=r"a.nrrd and a.nii.gz are labels of one case"):
        case_files(*folders)
    for name in ("empty", "bare"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="no label files"):
        case_files(tmp_path / "empty", tmp_path / "bare")


@pytest.mark.parametrize(
    ("convention", "names"),
    [
        (None, ("kidney", "tumor", "artery", "vein")),
        ("kits", ("kidney", "tumor", "cyst", None)),
        ("kipa", ("vein", "kidney", "artery", "tumor")),
    ],
)
def test_labels_of_a_challenge_become_ours(
    convention: str | None, names: tuple[str | None, ...], tmp_path: Path
) -> None:
    """Values 1 to 4 of the reference; the result's stay."""
    result = labels_file(tmp_path / "a.nii.gz", [1, 2, 3, 4, 0])
    reference = labels_file(tmp_path / "b.nii.gz", [1, 2, 3, 4, 0])
    case = read_case(CaseFiles("a", result, reference), None, convention)
    assert case.truth.ravel().tolist() == [*(structure(name).label if name else 0 for name in names), 0]
    assert case.predicted.ravel().tolist() == [1, 2, 3, 4, 0]


def test_ignored_voxels_are_background_in_both_and_spacing_is_in_the_arrays_order(tmp_path: Path) -> None:
    result = labels_file(tmp_path / "a.nii.gz", [1, 2, 3], (0.5, 1, 2))
    case = read_case(CaseFiles("a", result, labels_file(tmp_path / "b.nii.gz", [1, 9, 3], (0.5, 1, 2))), 9, "kits")
    assert case.predicted.ravel().tolist() == [1, 0, 3]
    assert case.truth.ravel().tolist() == [1, 0, structure("cyst").label]
    assert case.spacing == pytest.approx((2, 1, 0.5))
