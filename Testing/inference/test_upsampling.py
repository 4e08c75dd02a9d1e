"""Labels on the CT's grid are those of torch's and SimpleITK's trilinear interpolation, voxel for voxel."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from scipy import ndimage

from KidneyParsingLib.inference.grid import Grid
from KidneyParsingLib.inference.upsampling import labels_on_volume
from KidneyParsingLib.volumes.geometry import image_from_array
from KidneyParsingLib.volumes.volume import Volume

SIZE = (18, 22, 26)
GRID = Grid(np.array([-20.0, 5.0, -300.0]), (2.0, 2.0, 2.0), SIZE)


def blobs(seed: int = 0, classes: int = 4) -> np.ndarray:
    """Smooth random scores (C, z, y, x) in which the background wins mostly, but for blobs and thin things."""
    rng = np.random.default_rng(seed)
    scores = np.stack([ndimage.gaussian_filter(rng.normal(size=SIZE), 1.5) for _ in range(classes)])
    scores[0] += 0.25
    return scores.astype(np.float32)


def whole(scores: np.ndarray, volume: Volume) -> np.ndarray:
    labels, window = labels_on_volume(scores, GRID, volume)
    result = np.zeros(volume.array.shape, np.uint8)
    result[window] = labels
    return result


def by_simpleitk(scores: np.ndarray, volume: Volume) -> np.ndarray:
    """Class by class on the whole CT, in float64; background outside the grid."""
    reference = image_from_array(volume.array, volume.affine)
    resampled = []
    for index, values in enumerate(scores):
        image = sitk.Cast(image_from_array(values, GRID.affine), sitk.sitkFloat64)
        outside = -1e9 if index else 1e9
        resampled.append(
            sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, outside))
        )
    return np.argmax(resampled, 0).astype(np.uint8)


def over_the_grid(spacing: tuple[float, float, float]) -> Volume:
    """A CT whose voxels (x, y, z mm) fill the grid's extent exactly, as torch's align_corners=False has it."""
    count = np.round(np.multiply(GRID.size[::-1], GRID.spacing[::-1]) / spacing).astype(int)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = GRID.origin - np.divide(GRID.spacing[::-1], 2) + np.divide(spacing, 2)
    return Volume(np.zeros(count[::-1], np.int16), affine)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 0.8, 4.0), (2.0, 2.0, 2.0), (4.0, 4.0, 0.4)])
def test_no_voxel_differs_from_torch_s_trilinear_interpolation(spacing: tuple[float, float, float]) -> None:
    scores, volume = blobs(), over_the_grid(spacing)
    exact = F.interpolate(torch.from_numpy(scores)[None].double(), volume.array.shape, mode="trilinear")[0].argmax(0)
    assert 0 < (exact > 0).float().mean() < 0.6
    assert np.array_equal(whole(scores, volume), exact.numpy())


@pytest.mark.parametrize(
    "directions",
    [
        np.diag([1.0, 1.0, 1.0]),
        np.diag([-1.0, -1.0, 1.0]),
        np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]),
        np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
    ],
)
def test_a_ct_stored_in_any_direction_is_simpleitk_s(directions: np.ndarray) -> None:
    volume = turned(directions)
    scores = blobs(1)
    expected = by_simpleitk(scores, volume)
    assert (expected > 0).any() and np.array_equal(whole(scores, volume), expected)


def turned(directions: np.ndarray) -> Volume:
    """A CT larger than the grid, with its middle on the grid's."""
    shape, spacing = (50, 54, 58), np.array([0.9, 1.1, 1.3])
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    middle = GRID.origin + (np.array(SIZE[::-1]) - 1) / 2 * 2.0
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    return Volume(np.zeros(shape, np.int16), affine)


@pytest.mark.parametrize("angles", [(0.1, -0.2, 0.3), (0.0, 0.0, 0.01), (0.012, 0.0, 0.0)])
def test_an_oblique_ct_is_simpleitk_s_but_for_rounding(angles: tuple[float, float, float]) -> None:
    """Also one turned by half a degree, at whose ends labels would else be displaced by millimetres."""
    turn = np.reshape(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix(), (3, 3))
    volume, scores = turned(turn), blobs(2)
    expected = by_simpleitk(scores, volume)
    assert (whole(scores, volume) != expected).sum() <= 3


def test_half_precision_scores_give_the_labels_of_the_same_numbers_in_float32() -> None:
    half, volume = blobs(3).astype(np.float16), over_the_grid((1.0, 1.0, 1.5))
    assert np.array_equal(whole(half, volume), whole(half.astype(np.float32), volume))


def test_two_blobs_far_apart_need_no_work_in_between() -> None:
    """Planes between them stay background, and each keeps its own label."""
    scores = np.zeros((3, *SIZE), np.float32)
    scores[0] = 1
    scores[1, 2:4, 3:6, 3:6] = 2
    scores[2, 14:16, 15:18, 20:23] = 2
    labels = whole(scores, over_the_grid((1.0, 1.0, 1.0)))
    assert not labels[10:26].any()
    assert set(np.unique(labels[:10])) == {0, 1} and set(np.unique(labels[26:])) == {0, 2}


def test_nothing_found_is_an_empty_window() -> None:
    scores = np.zeros((3, *SIZE), np.float32)
    labels, window = labels_on_volume(scores, GRID, over_the_grid((1.0, 1.0, 1.0)))
    assert labels.size == 0 and window == (slice(0, 0),) * 3
