"""DICOM folders: real and made series against what their headers say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from made_dicom import AXES, COLUMNS, NORMAL, ORIGIN, ROWS, SPACING, even, pack, plane_of, write_series, write_slice
from pydicom.uid import generate_uid

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import Volume


def expect(volume: Volume, heights: list[float], first: float = 0.0) -> None:
    np.testing.assert_array_equal(volume.array, np.stack([plane_of(height) for height in heights]))
    corner = volume.affine @ [COLUMNS - 1, ROWS - 1, len(heights) - 1, 1]
    in_plane = AXES[0] * SPACING[1] * (COLUMNS - 1) + AXES[1] * SPACING[0] * (ROWS - 1)
    np.testing.assert_allclose(volume.affine[:3, 3], ORIGIN + first * NORMAL, atol=1e-4)
    np.testing.assert_allclose(corner[:3], ORIGIN + in_plane + heights[-1] * NORMAL, atol=1e-4)


def test_real_series_equals_its_nifti(shared_data: Path) -> None:
    series = read_ct(shared_data / "dicom" / "crlm-ct-1006")
    nifti = read_ct(shared_data / "ct" / "crlm-ct-1006.nii.gz")
    np.testing.assert_array_equal(series.array, nifti.array)
    np.testing.assert_allclose(series.affine, nifti.affine, atol=1e-3)
    assert series.notes == ()


def test_shuffled_oblique_slices_are_sorted_and_rescaled(tmp_path: Path) -> None:
    write_series(tmp_path, even(14))
    volume = read_ct(tmp_path)
    assert volume.array.dtype == np.int16 and volume.notes == ()
    expect(volume, even(14))


def test_same_grid_as_itk_series_reader(tmp_path: Path) -> None:
    write_series(tmp_path, even(14))
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path)))
    volume = read_ct(tmp_path)
    index = (5, 7, 9)
    np.testing.assert_allclose((volume.affine @ [*index, 1])[:3], image.TransformIndexToPhysicalPoint(index), atol=1e-3)
    assert volume.array[9, 7, 5] == image[index]


def test_largest_ct_series_below_the_folder_is_taken_with_a_note(tmp_path: Path) -> None:
    write_series(tmp_path / "thick", even(10, 5.0))
    write_series(tmp_path / "deep" / "thin", even(20), SeriesDescription="portal 2.5 mm")
    write_series(tmp_path / "pet", even(30), Modality="PT")
    write_series(tmp_path / "colours", even(30), SamplesPerPixel=3)
    write_series(tmp_path / "scout", even(40), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(tmp_path / "single", even(1))
    (tmp_path / "notes.txt").write_text("not DICOM")
    volume = read_ct(tmp_path)
    expect(volume, even(20))
    assert volume.notes == ("The folder holds 2 CT series: took the largest, 'portal 2.5 mm' (20 slices).",)


def test_slices_at_a_place_taken_are_left_out(tmp_path: Path) -> None:
    series = write_series(tmp_path, even(14))
    write_slice(tmp_path / "later phase", series, 5.0, number=500, PixelData=bytes(2 * ROWS * COLUMNS))
    volume = read_ct(tmp_path)
    expect(volume, even(14))
    assert volume.notes == ("1 slice(s) at a place already taken were left out.",)


def test_slices_of_another_size_or_orientation_are_left_out(tmp_path: Path) -> None:
    series = write_series(tmp_path, even(14))
    write_slice(tmp_path / "dose", series, 90.0, Rows=10, PixelData=bytes(20 * COLUMNS))
    write_slice(tmp_path / "coronal", series, 95.0, ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    volume = read_ct(tmp_path)
    expect(volume, even(14))
    assert volume.notes == ("2 slice(s) of another size or orientation were left out.",)


def test_uneven_slices_are_interpolated_with_a_note(tmp_path: Path) -> None:
    heights = [*even(10), 26.0, 27.5, 30.0]
    write_series(tmp_path, heights)
    volume = read_ct(tmp_path)
    expected = np.stack([plane_of(height).astype(float) for height in even(13)])
    assert np.abs(volume.array - expected).max() <= 1
    assert volume.spacing[2] == pytest.approx(2.5)
    assert "resampled to 2.50 mm" in volume.notes[0]


def test_one_missing_slice_is_interpolated_and_three_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "one", [height for height in even(20) if height != 10.0])
    volume = read_ct(tmp_path / "one")
    assert volume.array.shape[0] == 20 and "from 2.50 to 5.00 mm" in volume.notes[0]
    assert np.abs(volume.array[4] - plane_of(10.0)).max() <= 1
    write_series(tmp_path / "three", [height for height in even(20) if height not in (10.0, 12.5, 15.0)])
    with pytest.raises(InputError, match=r"Slices are missing in .*three \(a gap of 10.0 mm where 2.5 mm is usual\)"):
        read_ct(tmp_path / "three")


def test_tiny_jitter_is_not_resampled(tmp_path: Path) -> None:
    write_series(tmp_path, [height + 0.004 * (-1) ** index for index, height in enumerate(even(14))])
    volume = read_ct(tmp_path)
    assert volume.notes == () and volume.spacing[2] == pytest.approx(2.5, abs=1e-3)


def test_gantry_tilt_is_refused(tmp_path: Path) -> None:
    series = generate_uid()
    for index in range(14):
        position = ORIGIN + index * (2.5 * NORMAL + 0.6 * AXES[1])
        write_slice(tmp_path / str(index), series, 2.5 * index, ImagePositionPatient=[f"{x:.5f}" for x in position])
    with pytest.raises(InputError, match="gantry tilt"):
        read_ct(tmp_path)


def test_truncated_slice_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, even(14))
    victim = tmp_path / "IM005"
    victim.write_bytes(victim.read_bytes()[:-300])
    with pytest.raises(InputError, match="IM005 is damaged"):
        read_ct(tmp_path)


@pytest.mark.parametrize("changes", [{"Modality": "MR"}, {"ImageType": ["DERIVED", "SECONDARY", "LOCALIZER"]}])
def test_folder_without_ct_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    write_series(tmp_path, even(14), **changes)
    with pytest.raises(InputError, match="no CT series"):
        read_ct(tmp_path)


def test_slices_without_position_are_no_ct_series(tmp_path: Path) -> None:
    write_series(tmp_path, even(14), ImagePositionPatient=None)
    with pytest.raises(InputError, match="no CT series"):
        read_ct(tmp_path)


def test_run_length_encoded_slices_are_read(tmp_path: Path) -> None:
    write_series(tmp_path, even(14))
    for path in tmp_path.iterdir():
        image = pydicom.dcmread(path)
        image.compress(pydicom.uid.RLELossless)
        image.save_as(path)
    expect(read_ct(tmp_path), even(14))


@pytest.mark.parametrize("syntax", ["JPEG", "JPEG2000"])
def test_slices_compressed_without_loss_are_read(tmp_path: Path, syntax: str) -> None:
    write_series(tmp_path / "ct", even(14))
    for path in (tmp_path / "ct").iterdir():
        pack(path, syntax, tmp_path / "scratch.dcm")
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    expect(read_ct(tmp_path / "ct"), even(14))
