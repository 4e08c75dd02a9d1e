"""read_ct: the same voxels and grid as SimpleITK sees, and one sentence for what cannot be read."""

from __future__ import annotations

from pathlib import Path
from threading import current_thread, main_thread

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.volumes.geometry import affine_of_image
from KidneyParsingLib.volumes.nifti import NiftiLayout
from KidneyParsingLib.volumes.reading import read_ct


def written(image: sitk.Image, path: Path, compress: bool = True) -> Path:
    sitk.WriteImage(image, str(path), compress)
    return path


def like(array: np.ndarray, image: sitk.Image) -> sitk.Image:
    other = sitk.GetImageFromArray(array)
    other.CopyInformation(image)
    return other


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("compress", [False, True])
def test_every_format_keeps_voxels_and_oblique_grid(
    a_ct: sitk.Image, tmp_path: Path, suffix: str, compress: bool
) -> None:
    volume = read_ct(written(a_ct, tmp_path / f"ct{suffix}", compress))
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(a_ct))
    np.testing.assert_allclose(volume.affine, affine_of_image(a_ct), atol=1e-4)
    assert volume.notes == ()


def test_bad_input_is_refused_with_one_sentence_that_names_the_path(a_bad_ct: tuple[Path, str]) -> None:
    path, words = a_bad_ct
    with pytest.raises(InputError) as refusal:
        read_ct(path)
    sentence = str(refusal.value)
    assert words in sentence and str(path) in sentence
    assert sentence.endswith(".") and "\n" not in sentence and ". " not in sentence


def test_padding_is_clamped_and_floats_are_rounded(a_ct: sitk.Image, tmp_path: Path) -> None:
    values = sitk.GetArrayFromImage(a_ct).astype(np.float32) + 0.4
    values[0] = -3024
    values[1, 0, 0] = 1e6
    array = read_ct(written(like(values, a_ct), tmp_path / "ct.nii.gz")).array
    assert (array[0] == -1024).all() and array[1, 0, 0] == 32767
    np.testing.assert_array_equal(array[2:], sitk.GetArrayFromImage(a_ct)[2:])


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_voxels_without_a_number_become_air_with_a_note(tmp_path: Path, suffix: str, kind: type[np.floating]) -> None:
    values = np.random.default_rng(0).integers(-1000, 1000, (70, 64, 80)).astype(kind)
    expected = values.copy()
    # One of them lies beyond the first chunk that is looked at.
    values[3, 4, 5:7] = np.nan, np.inf
    values[69, 63, 79] = np.nan
    expected[~np.isfinite(values)] = -1024
    volume = read_ct(written(sitk.GetImageFromArray(values), tmp_path / f"ct{suffix}"))
    np.testing.assert_array_equal(volume.array, expected)
    assert len(volume.notes) == 1 and volume.notes[0].startswith("3 voxels")


def test_suffix_may_be_in_capitals(a_ct: sitk.Image, tmp_path: Path) -> None:
    path = written(a_ct, tmp_path / "ct.nii.gz").rename(tmp_path / "CT.NII.GZ")
    np.testing.assert_array_equal(read_ct(path).array, sitk.GetArrayFromImage(a_ct))


def test_nifti_rescale_is_applied(a_ct: sitk.Image, tmp_path: Path) -> None:
    path = written(a_ct, tmp_path / "ct.nii")
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([0.5, -100], "<f4").tobytes()
    path.write_bytes(content)
    expected = np.rint(sitk.GetArrayFromImage(a_ct) * 0.5 - 100)
    np.testing.assert_array_equal(read_ct(path).array, np.maximum(expected, -1024))


def test_nifti_with_a_single_time_point_is_a_volume(a_ct: sitk.Image, tmp_path: Path) -> None:
    volume = read_ct(written(sitk.JoinSeries([a_ct]), tmp_path / "ct.nii.gz"))
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(a_ct))
    np.testing.assert_allclose(volume.affine, affine_of_image(a_ct), atol=1e-4)


def test_few_thick_slices_are_enough(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(-1000, 1000, (12, 40, 40)).astype(np.int16))
    image.SetSpacing((1, 1, 5))
    assert read_ct(written(image, tmp_path / "ct.nii.gz")).array.shape == (12, 40, 40)


def test_values_without_negatives_are_read_with_a_note(a_ct: sitk.Image, tmp_path: Path) -> None:
    image = sitk.Cast(a_ct + 1024, sitk.sitkUInt16)
    assert "Hounsfield" in read_ct(written(image, tmp_path / "ct.nii.gz")).notes[0]


def test_nifti_without_orientation_is_read_with_a_note(a_ct: sitk.Image, tmp_path: Path) -> None:
    path = written(a_ct, tmp_path / "ct.nii")
    content = bytearray(path.read_bytes())
    content[252:256] = bytes(4)
    path.write_bytes(content)
    assert "right and left" in read_ct(path).notes[0]


def test_header_of_a_nifti_is_never_asked_for_while_the_voxels_are_read(
    a_ct: sitk.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, layout_of = [], NiftiLayout.of
    monkeypatch.setattr(NiftiLayout, "of", lambda reader: threads.append(current_thread()) or layout_of(reader))
    read_ct(written(a_ct, tmp_path / "ct.nii.gz"))
    assert threads == [main_thread()]


def test_damaged_compressed_metaimage_is_refused(a_ct: sitk.Image, tmp_path: Path) -> None:
    path = written(a_ct, tmp_path / "ct.mha")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_ct(path)


def test_header_without_its_data_file_is_refused(a_ct: sitk.Image, tmp_path: Path) -> None:
    path = written(a_ct, tmp_path / "ct.mhd", compress=False)
    (tmp_path / "ct.raw").unlink()
    with pytest.raises(InputError, match="ct.raw, which is missing"):
        read_ct(path)


@pytest.mark.parametrize("name", ["cptac-c3n-00249", "crlm-ct-1006", "tcga-09-2043", "totalsegmentator-s0009"])
def test_real_volumes(shared_data: Path, name: str) -> None:
    path = shared_data / "ct" / f"{name}.nii.gz"
    volume = read_ct(path)
    image = sitk.ReadImage(str(path))
    np.testing.assert_allclose(volume.affine, affine_of_image(image), atol=1e-6)
    np.testing.assert_array_equal(volume.array, np.maximum(sitk.GetArrayViewFromImage(image), -1024))
