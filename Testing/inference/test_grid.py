"""Resampling to work grids and back, against functions that are linear in space."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.inference.grid import AIR_HU, Box, Grid, bounds, index_window
from KidneyParsingLib.inference.resampling import resampled
from KidneyParsingLib.inference.upsampling import labels_on_volume
from KidneyParsingLib.volumes.geometry import make_affine
from KidneyParsingLib.volumes.volume import Volume

TURN = np.array(sitk.Euler3DTransform((0, 0, 0), 0.2, -0.3, 0.4).GetMatrix()).reshape(3, 3)
FLIP = np.diag([-1.0, 1.0, -1.0])


def plane_wave(points: np.ndarray) -> np.ndarray:
    """A function linear in patient coordinates, so that linear interpolation is exact."""
    return 2.0 * points[..., 0] - 1.5 * points[..., 1] + 3.0 * points[..., 2]


def patient_points(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)[..., ::-1]
    return index @ affine[:3, :3].T + affine[:3, 3]


def whole(labels: np.ndarray, window: tuple[slice, ...], shape: tuple[int, ...]) -> np.ndarray:
    array = np.zeros(shape, np.uint8)
    array[window] = labels
    return array


@pytest.mark.parametrize("direction", [np.eye(3), FLIP, TURN, TURN @ FLIP], ids=["plain", "flipped", "oblique", "both"])
@pytest.mark.parametrize("spacing", [(0.7, 0.7, 5.0), (2.0, 2.0, 2.0), (0.9, 0.8, 1.0)])
def test_a_linear_image_is_resampled_exactly(direction: np.ndarray, spacing: tuple[float, ...]) -> None:
    shape = tuple(int(np.ceil(80 / s)) for s in spacing[::-1])
    affine = make_affine(spacing, (-30.0, 12.0, 400.0), direction)
    volume = Volume(np.round(plane_wave(patient_points(affine, shape))).astype(np.int16), affine)
    middle = bounds(volume).center
    grid = Grid.over(Box(middle - 15, middle + 15), (4.0, 3.0, 2.0))
    expected = plane_wave(patient_points(grid.affine, grid.size))
    assert np.abs(resampled(volume, grid) - expected).max() < 1.0


@pytest.mark.parametrize("hair", [-1e-5, 0.0, 1e-5])
def test_rounding_moves_no_grid_and_no_window(hair: float) -> None:
    """A box of 8 x 5 x 4 voxels, and one within it from its second voxel on."""
    low, steps = np.array([-30.0, 12.0, 400.0]), np.array([2.0, 3.0, 4.0])
    grid = Grid.over(Box(low, low + steps * (8, 5, 4) + hair), (4.0, 3.0, 2.0))
    assert grid.size == (4, 5, 8)
    inner = Box(low + steps + hair, low + 3 * steps - hair)
    assert grid.window(inner) == (slice(1, 3),) * 3


def test_outside_the_scan_is_air() -> None:
    volume = Volume(np.full((20, 20, 20), 50, np.int16), np.eye(4))
    hu = resampled(volume, Grid.over(Box(np.full(3, -40.0), np.full(3, 60.0)), (4.0, 4.0, 4.0)))
    assert hu[0, 0, 0] == AIR_HU
    assert hu[12, 12, 12] == 50


def test_noise_falls_as_blocks_are_averaged() -> None:
    """Blocks of 4 x 4 x 4 independent voxels: standard deviation falls by 8."""
    noise = np.random.default_rng(0).normal(0, 80, (64, 64, 64)).astype(np.int16)
    volume = Volume(noise, np.eye(4))
    grid = Grid(np.full(3, 5.5), (4.0, 4.0, 4.0), (12, 12, 12))
    assert resampled(volume, grid).std() == pytest.approx(10, rel=0.15)


@pytest.mark.parametrize("turn", [np.eye(3), np.eye(3)[[2, 0, 1]]], ids=["upright", "axes exchanged"])
def test_blocks_are_as_long_as_the_grid_s_spacing_along_each_axis(turn: np.ndarray) -> None:
    """4 x 1 x 1 mm from cubes of 1 mm: four slices are averaged and nothing in plane, so noise falls by 2."""
    noise = np.random.default_rng(0).normal(0, 80, (64, 64, 64)).astype(np.int16)
    affine = np.eye(4)
    affine[:3, :3] = turn
    grid = Grid(np.array([5.0, 5.0, 5.5]), (4.0, 1.0, 1.0), (12, 50, 50))
    assert resampled(Volume(noise, affine), grid).std() == pytest.approx(40, rel=0.05)


@pytest.mark.parametrize("size", [63, 61, 64])
@pytest.mark.parametrize("reverse", [False, True])
def test_scans_of_any_length_are_covered_to_their_last_slice(size: int, reverse: bool) -> None:
    affine = np.diag([1.0, 1.0, -1.0 if reverse else 1.0, 1.0])
    volume = Volume(np.full((size, 40, 40), 70, np.int16), affine)
    grid = Grid.over(bounds(volume), (4.0, 4.0, 4.0))
    inside = patient_points(grid.affine, grid.size)[..., 2]
    box = bounds(volume)
    seen = (inside >= box.low[2] + 0.5) & (inside <= box.high[2] - 0.5)
    assert (resampled(volume, grid)[seen] > 0).mean() > 0.7
    assert (resampled(volume, grid)[seen.all((1, 2))][:, 5, 5] > -1024).all()


def test_a_part_of_a_scan_is_resampled_as_it_is_in_the_whole() -> None:
    """Noise, where every block and every share of a voxel shows; flipped axes, and boxes anywhere."""
    rng = np.random.default_rng(3)
    array = rng.integers(-1000, 1000, (40, 60, 50)).astype(np.int16)
    volume = Volume(array, make_affine((0.8, 0.7, 1.3), (-30.0, 12.0, 7.0), FLIP))
    whole = Grid.over(bounds(volume), (2.0, 2.0, 2.0))
    expected = resampled(volume, whole)
    for _ in range(10):
        low = bounds(volume).low + rng.uniform(0, 12, 3)
        part = Grid.over(whole.snapped(Box(low, low + rng.uniform(6, 18, 3))), whole.spacing)
        window = whole.window(part.box_of(np.ones(part.size, bool)))
        assert tuple(w.stop - w.start for w in window) == part.size
        assert np.allclose(resampled(volume, part), expected[window], atol=0.01)


def test_a_snapped_box_is_moved_by_half_a_voxel_at_most_and_holds_whole_ones() -> None:
    grid = Grid.over(Box(np.zeros(3), np.full(3, 60.0)), (2.0, 3.0, 4.0))
    snapped = grid.snapped(Box(np.array([9.0, 7.0, -5.1]), np.array([17.1, 16.0, 11.0])))
    assert snapped.low == pytest.approx([8.0, 6.0, -6.0])
    assert snapped.high - snapped.low == pytest.approx([12.0, 9.0, 18.0])


def test_windows_are_lengthened_to_a_multiple_where_the_grid_has_room() -> None:
    grid = Grid(np.zeros(3), (2.0, 2.0, 2.0), (50, 60, 20))
    window = grid.window(Box(np.array([10.0, 20.0, 90.0]), np.array([30.0, 50.0, 97.0])), multiple=16)
    lengths = [w.stop - w.start for w in window]
    assert lengths == [16, 16, 16] and window[0].stop == 50
    assert [w.stop - w.start for w in grid.window(Box(np.zeros(3), np.full(3, 38.0)), multiple=16)][2] == 20


def test_bounds_are_the_outer_borders_of_the_voxels() -> None:
    box = bounds(Volume(np.zeros((10, 20, 30), np.int16), make_affine((1.0, 2.0, 3.0), (5.0, 6.0, 7.0), np.eye(3))))
    assert box.low == pytest.approx([4.5, 5.0, 5.5])
    assert box.high == pytest.approx([34.5, 45.0, 35.5])


def test_index_window_covers_the_box() -> None:
    affine = make_affine((2.0, 2.0, 5.0), (-50.0, -50.0, 0.0), FLIP)
    window = index_window(
        affine, (30, 60, 60), Box(np.array([-100.0, 0.0, -60.0]), np.array([-80.0, 20.0, -40.0])), margin=0
    )
    corners = np.linalg.inv(affine) @ np.array([[-100.0, 0, -60, 1], [-80.0, 20, -40, 1]]).T
    for axis, row in zip(window, corners[:3][::-1], strict=True):
        assert row.min() - 1 <= axis.start <= row.min() and row.max() < axis.stop <= row.max() + 2


@pytest.mark.parametrize("direction", [np.eye(3), TURN @ FLIP], ids=["plain", "oblique"])
def test_a_ball_s_logits_come_back_as_the_ball_on_the_ct_s_grid(direction: np.ndarray) -> None:
    """Logits that fall linearly with the distance from a centre: the zero level is a sphere of 20 mm."""
    affine = make_affine((0.9, 0.9, 2.5), (10.0, -20.0, 30.0), direction)
    shape = (40, 100, 100)
    volume = Volume(np.zeros(shape, np.int16), affine)
    center = bounds(volume).center
    grid = Grid.over(Box(center - 34, center + 34), (2.0, 2.0, 2.0))
    distance = np.linalg.norm(patient_points(grid.affine, grid.size) - center, axis=-1)
    logits = np.stack([np.zeros_like(distance), 20 - distance, np.full_like(distance, -50)]).astype(np.float32)
    labels = whole(*labels_on_volume(logits, grid, volume), shape)
    truth = np.linalg.norm(patient_points(affine, shape) - center, axis=-1) < 20
    assert set(np.unique(labels)) == {0, 1}
    assert 2 * (truth & (labels == 1)).sum() / (truth.sum() + (labels == 1).sum()) > 0.99


def test_background_everywhere_gives_an_empty_label_map() -> None:
    volume = Volume(np.zeros((10, 10, 10), np.int16), np.eye(4))
    logits = np.stack([np.ones((5, 5, 5)), np.zeros((5, 5, 5))]).astype(np.float32)
    labels, window = labels_on_volume(logits, Grid(np.zeros(3), (2.0, 2.0, 2.0), (5, 5, 5)), volume)
    assert labels.size == 0 and volume.array[window].size == 0


def test_argmax_is_that_of_torch_s_trilinear_interpolation() -> None:
    """A second implementation: random logits on an aligned grid, upsampled by torch."""
    import torch
    import torch.nn.functional as F

    logits = np.random.default_rng(0).normal(size=(4, 8, 9, 10)).astype(np.float32)
    grid = Grid(np.full(3, 1.0), (2.0, 2.0, 2.0), (8, 9, 10))
    volume = Volume(np.zeros((16, 18, 20), np.int16), make_affine((1, 1, 1), (0.5, 0.5, 0.5), np.eye(3)))
    expected = F.interpolate(torch.from_numpy(logits)[None], scale_factor=2, mode="trilinear")[0].argmax(0).numpy()
    labels = whole(*labels_on_volume(logits, grid, volume), (16, 18, 20))
    inner = (slice(1, -1),) * 3
    assert (labels[inner] == expected[inner]).mean() > 0.9999


def test_a_thinned_grid_has_the_places_of_every_third_voxel() -> None:
    grid = Grid(np.array([5.0, -3.0, 2.0]), (3.0, 1.5, 0.7), (7, 6, 4))
    thin = grid.thinned(3)
    index = np.indices(grid.size)[:, ::3, ::3, ::3]
    assert thin.size == index.shape[1:] == (3, 2, 2)
    here, there = (
        (g.affine @ np.stack([*i.reshape(3, -1)[::-1], np.ones(i[0].size)]))[:3]
        for g, i in ((grid, index), (thin, np.indices(thin.size)))
    )
    np.testing.assert_allclose(here, there)
