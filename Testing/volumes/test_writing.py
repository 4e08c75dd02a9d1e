"""Label maps to files: what SimpleITK reads back, and that a failure leaves nothing behind."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import SEGMENTS
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.volumes.volume import LabelMap
from KidneyParsingLib.volumes.writing import check_writable, read_label_map, write_label_map


def test_our_file_comes_back_as_it_was(a_label_map: LabelMap, tmp_path: Path) -> None:
    write_label_map(a_label_map, tmp_path / "out.seg.nrrd")
    again = read_label_map(tmp_path / "out.seg.nrrd")
    assert again.segments == a_label_map.segments and again.array.dtype == np.uint8
    np.testing.assert_array_equal(again.array, a_label_map.array)
    np.testing.assert_allclose(again.affine, a_label_map.affine, atol=1e-9)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_nifti_holds_structure_labels_on_the_ct_grid(
    a_label_map: LabelMap, a_ct: sitk.Image, tmp_path: Path, suffix: str
) -> None:
    write_label_map(a_label_map, tmp_path / f"out{suffix}")
    image = sitk.ReadImage(str(tmp_path / f"out{suffix}"))
    expected = np.zeros_like(a_label_map.array)
    for item in a_label_map.segments:
        expected[a_label_map.mask(item)] = item.structure.label
    assert image.GetPixelID() == sitk.sitkUInt8
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)
    for index in [(0, 0, 0), (27, 23, 19)]:
        ours, theirs = image.TransformIndexToPhysicalPoint(index), a_ct.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out.stl", "format that we write"),
        ("missing/out.seg.nrrd", "no folder"),
        ("file/out.seg.nrrd", "no folder"),
        ("folder.nii", "is a folder"),
        ("/proc/out.nii.gz", "cannot be written"),
        ("x" * 300 + ".nii.gz", "cannot be written"),
    ],
)
def test_unwritable_output_is_refused_and_leaves_nothing(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(InputError, match=words):
        check_writable(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.nii"]


def test_checking_leaves_no_file_and_touches_no_old_one(tmp_path: Path) -> None:
    old = tmp_path / "old.nii.gz"
    old.write_text("precious")
    check_writable(old)
    check_writable(tmp_path / "new.seg.nrrd")
    assert list(tmp_path.iterdir()) == [old] and old.read_text() == "precious"


@pytest.mark.parametrize("failing", ["write", "replace"])
def test_failed_write_leaves_the_old_file_and_nothing_else(
    a_label_map: LabelMap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    old = tmp_path / "out.seg.nrrd"
    old.write_text("precious")

    def half_written(_image: sitk.Image, path: str, **_options: object) -> None:
        Path(path).write_text("half")
        raise RuntimeError("disk full")

    def no_replace(_source: object, _target: object) -> None:
        raise OSError(28, "No space left on device")

    if failing == "write":
        monkeypatch.setattr(sitk, "WriteImage", half_written)
    else:
        monkeypatch.setattr(os, "replace", no_replace)
    with pytest.raises(InputError, match="cannot be written"):
        write_label_map(a_label_map, old)
    assert list(tmp_path.iterdir()) == [old] and old.read_text() == "precious"


def test_foreign_files_are_refused(a_label_map: LabelMap, tmp_path: Path) -> None:
    stranger = replace(SEGMENTS[0], id="spleen")
    write_label_map(LabelMap(a_label_map.array, a_label_map.affine, (stranger,)), tmp_path / "spleen.seg.nrrd")
    sitk.WriteImage(sitk.Image([9, 9, 9], sitk.sitkUInt8), str(tmp_path / "plain.nrrd"))
    (tmp_path / "text.seg.nrrd").write_text("hello")
    for name, words in [("spleen.seg.nrrd", "spleen"), ("plain.nrrd", "segments"), ("text.seg.nrrd", "cannot be read")]:
        with pytest.raises(InputError, match=words):
            read_label_map(tmp_path / name)
