"""Augmented crops: exact without changes, true to shape and aligned with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from KidneyParsingLib.training.augmentation import NONE, Augmentation, augmented_crop

EVERYTHING = Augmentation(
    rotate_degrees=30.0, scale=(0.7, 1.4), elastic_mm=4.0, turned=1.0, flip_axes=(0, 1, 2),
    contrast=0.1, brightness_hu=20.0, gamma=0.2, noise_hu=30.0,
)  # fmt: skip
SHAPE = (60, 64, 68)
CENTER = np.array([30, 32, 34])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise_scan() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(5)
    return draw.integers(-1000, 1500, SHAPE).astype(np.int16), draw.integers(0, 7, SHAPE).astype(np.uint8)


def shape_scan(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1000 HU and label 1 inside a smooth-edged shape, given as signed distance to its surface; 0 HU outside."""
    hu = 1000 * np.clip(inside / 3 + 0.5, 0, 1)
    return hu.astype(np.int16), (inside > 0).astype(np.uint8)


def offsets(spacing: tuple[float, ...] = (1, 1, 1)) -> np.ndarray:
    return (np.indices(SHAPE) - CENTER[:, None, None, None]) * np.array(spacing)[:, None, None, None]


def ball(radius: float, spacing: tuple[float, ...] = (1, 1, 1)) -> np.ndarray:
    return radius - np.sqrt((offsets(spacing) ** 2).sum(0))


@pytest.mark.parametrize("patch", [(8, 8, 8), (7, 9, 11), (60, 64, 68)])
def test_without_augmentation_the_crop_is_exact(patch: tuple[int, ...]) -> None:
    hu, labels = noise_scan()
    image, target = augmented_crop(hu, labels, CENTER, patch, NONE, rng())
    window = tuple(slice(c - n // 2, c - n // 2 + n) for c, n in zip(CENTER, patch, strict=True))
    assert image.dtype == torch.float32 and target.dtype == torch.int64
    assert np.array_equal(image.numpy(), hu[window]) and np.array_equal(target.numpy(), labels[window])


@pytest.mark.parametrize("augmentation", [NONE, Augmentation(rotate_degrees=1e-6, turned=1.0)], ids=["cut", "sampled"])
def test_beyond_the_scan_is_air_without_labels(augmentation: Augmentation) -> None:
    hu, labels = noise_scan()
    image, target = augmented_crop(hu, labels, np.array([1, 63, 0]), (12, 12, 12), augmentation, rng())
    outside = np.ones((12, 12, 12), bool)
    outside[5:, :7, 6:] = False
    assert (image[outside] + 1024).abs().max() < 0.5 and (target[outside] == 0).all()
    assert np.abs(image[~outside].numpy() - hu[:7, 57:, :6].ravel()).max() < 0.1
    assert np.array_equal(target[~outside].numpy(), labels[:7, 57:, :6].ravel())


def test_sampling_without_a_turn_gives_the_crop() -> None:
    """The other way through the code, with nothing to do, against plain slices."""
    hu, labels = noise_scan()
    sampled = augmented_crop(hu, labels, CENTER, (20, 21, 22), Augmentation(scale=(1, 1 + 1e-9), turned=1.0), rng())
    cut = augmented_crop(hu, labels, CENTER, (20, 21, 22), NONE, rng())
    assert (sampled[0] - cut[0]).abs().max() < 0.1 and torch.equal(sampled[1], cut[1])


@pytest.mark.parametrize("factor", [0.8, 1.3])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.0, 1.0)])
def test_a_ball_stays_a_ball_of_scaled_volume(factor: float, spacing: tuple[float, float, float]) -> None:
    """A factor f takes the volume to f^3 of 4/3 pi r^3; turning changes nothing, on unequal spacing neither."""
    hu, labels = shape_scan(ball(16.0, spacing))
    turn = Augmentation(rotate_degrees=60.0, scale=(factor, factor), turned=1.0)
    _, target = augmented_crop(hu, labels, CENTER, SHAPE, turn, rng(3), spacing)
    expected = 4 / 3 * np.pi * (16 * factor) ** 3
    assert target.sum().item() * np.prod(spacing) == pytest.approx(expected, rel=0.02)
    radius = np.sqrt((offsets(spacing) ** 2).sum(0))
    inside = target.numpy() == 1
    assert radius[inside].max() < 16 * factor + max(spacing) and radius[~inside].min() > 16 * factor - max(spacing)


def test_a_turn_is_a_rotation_in_mm() -> None:
    """The axis of a rod turns by no more than the three angles together and keeps its length in mm."""
    z, y, x = offsets((2.0, 1.0, 1.0))
    rod = (np.abs(x) < 20) & (np.hypot(z, y) < 4)
    _, target = augmented_crop(
        *shape_scan(np.where(rod, 1.0, -2.0)), CENTER, SHAPE, Augmentation(rotate_degrees=30.0, turned=1.0), rng(1),
        (2.0, 1.0, 1.0),
    )  # fmt: skip
    points = offsets((2.0, 1.0, 1.0))[:, target.numpy() == 1]
    axis = np.linalg.svd(points - points.mean(1, keepdims=True), full_matrices=False)[0][:, 0]
    assert 5 < np.degrees(np.arccos(abs(axis[2]))) < 52
    assert np.ptp(axis @ points) == pytest.approx(40, abs=5)


def test_every_axis_is_flipped_in_half_of_the_samples() -> None:
    hu, labels = noise_scan()
    plain = augmented_crop(hu, labels, CENTER, (6, 6, 6), NONE, rng())
    counts = {axes: 0 for axes in ((), (0,), (2,), (0, 2))}
    for seed in range(120):
        image, target = augmented_crop(hu, labels, CENTER, (6, 6, 6), Augmentation(flip_axes=(0, 2)), rng(seed))
        (found,) = [axes for axes in counts if torch.equal(image, plain[0].flip(axes))]
        assert torch.equal(target, plain[1].flip(found))
        counts[found] += 1
    assert min(counts.values()) > 15  # 30 expected, standard deviation 4.7


@pytest.mark.parametrize("seed", range(6))
def test_image_and_labels_stay_aligned_through_everything(seed: int) -> None:
    """The label ends where the smooth edge of the image crosses half its height, and nowhere beside that."""
    shape_only = Augmentation(30.0, (0.7, 1.4), 4.0, turned=1.0, flip_axes=(0, 1, 2))
    z, y, x = offsets()
    lumpy = 14 + 4 * np.sin(z / 5) + 3 * np.cos(x / 6) - np.sqrt(z**2 + y**2 + x**2)
    image, target = augmented_crop(*shape_scan(lumpy), CENTER + (3, -4, 5), (40, 48, 48), shape_only, rng(seed))
    edge = (image > 0) & (image < 1000)

    def agreement(labels: torch.Tensor) -> float:
        return ((image > 500) == (labels == 1))[edge].float().mean().item()

    beside = [agreement(target.roll(step, axis)) for step in (-1, 1) for axis in range(3)]
    assert agreement(target) > max(0.85, max(beside) + 0.01)
    assert 2000 < target.sum() < 60_000


def test_elastic_displacements_have_the_wanted_size_and_are_smooth() -> None:
    """An image that shows its own x coordinate: the crop shows where each voxel came from."""
    hu = np.broadcast_to(np.arange(300, dtype=np.int16) * 10, (80, 80, 300))
    labels = np.zeros(hu.shape, np.uint8)
    moved = []
    for seed in range(20):
        image, _ = augmented_crop(
            hu, labels, np.array([40, 40, 150]), (40, 40, 40), Augmentation(elastic_mm=3.0, turned=1.0), rng(seed),
            (1.0, 1.0, 2.0),
        )  # fmt: skip
        moved.append(image.numpy() / 10 - np.arange(130, 170))
    moved = np.array(moved) * 2.0  # mm
    assert np.abs(np.diff(moved, axis=-1)).max() < 2.0
    assert moved[:, 0, 0, 0].std() == pytest.approx(3.0, rel=0.4)  # a corner is a control point; 20 samples
    assert abs(moved.mean()) < 1.0


def test_the_share_that_is_turned() -> None:
    hu, labels = noise_scan()
    plain, _ = augmented_crop(hu, labels, CENTER, (6, 6, 6), NONE, rng())
    share = Augmentation(rotate_degrees=20.0, turned=0.3)
    kept = sum(torch.equal(augmented_crop(hu, labels, CENTER, (6, 6, 6), share, rng(s))[0], plain) for s in range(200))
    assert 115 < kept < 165  # 140 expected, standard deviation 6.5


def test_noise_has_at_most_the_wanted_size_and_no_trend() -> None:
    hu, labels = np.zeros(SHAPE, np.int16), np.zeros(SHAPE, np.uint8)
    sizes = []
    for seed in range(40):
        image, _ = augmented_crop(hu, labels, CENTER, (20, 20, 20), Augmentation(noise_hu=25.0), rng(seed))
        sizes.append(image.std().item())
        assert abs(image.mean().item()) < 1.5
    assert max(sizes) < 26 and np.mean(sizes) == pytest.approx(12.5, rel=0.35)


def test_gamma_keeps_the_order_of_hu_and_all_beyond_its_window() -> None:
    hu = np.linspace(-1000, 1500, np.prod(SHAPE)).reshape(SHAPE).astype(np.int16)
    labels = np.zeros(SHAPE, np.uint8)
    image, _ = augmented_crop(hu, labels, CENTER, SHAPE, Augmentation(gamma=0.3), rng(2))
    before, after = hu.ravel(), image.numpy().ravel()
    assert (np.diff(after) >= -1e-2).all()
    beyond = (before <= -200) | (before >= 500)
    assert np.abs(after - before)[beyond].max() < 0.1 and np.abs(after - before).max() > 5


def test_contrast_and_brightness_are_a_line() -> None:
    hu, labels = noise_scan()
    line = Augmentation(contrast=0.1, brightness_hu=20.0)
    image, _ = augmented_crop(hu, labels, CENTER, SHAPE, line, rng(4))
    x, y = hu.ravel().astype(float), image.numpy().ravel()
    keep = x > -900
    slope, level = np.polyfit(x[keep], y[keep], 1)
    assert np.abs(slope * x + level - y)[keep].max() < 0.1
    assert 0.9 <= slope <= 1.1 and abs(level) <= 20 and (slope, level) != (1, 0)
    assert y.min() >= -1024


def test_the_same_seed_gives_the_same_crop_and_another_one_another() -> None:
    hu, labels = noise_scan()
    first, again, other = (augmented_crop(hu, labels, CENTER, (9, 10, 11), EVERYTHING, rng(s))[0] for s in (7, 7, 8))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.isfinite().all() and first.shape == (9, 10, 11)


def test_only_the_block_under_the_patch_is_read() -> None:
    """Of a memory map of a whole scan, voxels far from the patch are not touched."""

    class Watched(np.ndarray):
        read = 0

        def __getitem__(self, key: object) -> np.ndarray:
            part = super().__getitem__(key)
            Watched.read = max(Watched.read, part.size)
            return part

    hu = np.zeros((200, 200, 200), np.int16).view(Watched)
    augmented_crop(hu, np.zeros(hu.shape, np.uint8), np.full(3, 100), (20, 20, 20), EVERYTHING, rng())
    assert 0 < Watched.read < 80**3


def test_against_scipy_s_affine_transform() -> None:
    """A pure zoom by 1.25 about the centre, linear, in the inside of the scan."""
    hu, labels = noise_scan()
    zoom = Augmentation(scale=(1.25, 1.25), turned=1.0)
    image, target = augmented_crop(hu, labels, CENTER, (30, 30, 30), zoom, rng())
    matrix, patch = np.eye(3) / 1.25, np.full(3, 15)
    shift = CENTER - matrix @ patch
    expected = ndimage.affine_transform(hu.astype(np.float64), matrix, shift, (30, 30, 30), order=1)
    assert np.abs(image.numpy() - expected).max() < 1.0
    nearest = ndimage.affine_transform(labels, matrix, shift, (30, 30, 30), order=0)
    assert (target.numpy() == nearest).mean() > 0.99
