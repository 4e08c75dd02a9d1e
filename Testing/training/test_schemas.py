"""Training schemas: which background voxels count, and edges, on shapes of which both are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from KidneyParsingLib.networks.configs import CONFIGS, KITS_CLASSES, VESSEL_CLASSES
from KidneyParsingLib.training.schemas import SCHEMAS, Schema, canny_edges, random_background

SHAPE = (20, 24, 28)
LABELS = {"kidney": 1, "tumor": 2}


def distance_to(point: tuple[float, ...], shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.sqrt(sum((grid - p) ** 2 for grid, p in zip(np.indices(shape), point, strict=True)))


def ball(radius: float, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return distance_to(tuple((n - 1) / 2 for n in shape), shape) <= radius


def kept(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    keep = random_background(labels.astype(np.int64), np.random.default_rng(seed))["keep"].numpy()
    assert keep.dtype == np.float32 and keep.shape == labels.shape and set(np.unique(keep)) <= {0, 1}
    return keep == 1


def edges(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    maps = canny_edges(labels.astype(np.int64), np.random.default_rng(0))
    for edge in maps.values():
        assert edge.shape == labels.shape and edge.numpy().dtype == np.int64 and set(np.unique(edge)) <= {0, 1}
    return maps["kidney_edge"].numpy() == 1, maps["tumor_edge"].numpy() == 1


def components(mask: np.ndarray, neighbours: int) -> int:
    return ndimage.label(mask, ndimage.generate_binary_structure(3, 3 if neighbours == 26 else 1))[1]


# Random background sampling.


def test_as_much_background_as_foreground_is_kept_a_fifth_of_it_from_the_band() -> None:
    """A straight vessel along x, one voxel wide and 28 long: distances are those in the y-z plane. Of the 28 background
    voxels to keep, 20% or 5.6, so 6, are from the band."""
    labels = np.zeros(SHAPE, int)
    labels[10, 12] = 3
    z, y = np.indices(SHAPE[:2])
    off = np.broadcast_to(np.hypot(z - 10, y - 12)[..., None], SHAPE)
    keep = kept(labels)
    assert keep[labels > 0].all()
    assert keep[(off > 0) & (off <= 2)].sum() == 0
    assert keep[(off > 2) & (off <= 4)].sum() == 6
    assert keep[off > 4].sum() == 22


def test_all_foreground_classes_count_as_vessel() -> None:
    labels = np.zeros(SHAPE, int)
    labels[4], labels[5], labels[6] = 1, 2, 3
    keep = kept(labels)
    assert keep[4:7].all() and not keep[2:4].any() and not keep[7:9].any()
    assert keep[:4].sum() + keep[7:].sum() == (labels > 0).sum()


def test_regions_with_too_few_voxels_are_kept_whole() -> None:
    """Foreground in 16 of 20 slices: 3.2 slices' worth is wanted of the band, which is the last two slices (3 and 4
    voxels off), and 12.8 from beyond, where there is nothing."""
    labels = np.zeros(SHAPE, int)
    labels[:16] = 1
    keep = kept(labels)
    assert keep[:16].all() and not keep[16:18].any() and keep[18:].all()


def test_patch_without_background_is_kept_whole() -> None:
    assert kept(np.ones(SHAPE, int)).all()


def test_of_a_patch_without_foreground_one_percent_is_kept_anywhere() -> None:
    keep = kept(np.zeros((20, 30, 40), int))
    assert keep.sum() == 240
    assert all(keep.sum(axes).astype(bool).mean() > 0.95 for axes in ((1, 2), (0, 2), (0, 1)))


def test_what_is_kept_depends_on_the_generator_alone() -> None:
    labels = ball(4)
    assert np.array_equal(kept(labels, 1), kept(labels, 1))
    assert not np.array_equal(kept(labels, 1), kept(labels, 2))


# Canny edges.


@pytest.mark.parametrize("radius", [2.2, 3.5, 6, 8.4])
@pytest.mark.parametrize("name", ["kidney", "tumor"])
def test_edge_of_a_ball_is_one_thin_closed_surface(name: str, radius: float) -> None:
    """It lies within a voxel of the sphere; its voxels hang together, and parting inside from outside they leave two
    components; there are about as many as foreground voxels that touch the background."""
    mask = ball(radius)
    both = dict(zip(LABELS, edges(mask * LABELS[name]), strict=True))
    edge = both.pop(name)
    assert not any(other.any() for other in both.values())
    center = tuple((n - 1) / 2 for n in SHAPE)
    assert np.abs(distance_to(center)[edge] - radius).max() <= 1
    assert components(edge, 26) == 1 and components(~edge, 6) == 2
    shell = mask & ~ndimage.binary_erosion(mask)
    assert edge.sum() == pytest.approx(shell.sum(), rel=0.05)


def test_edges_of_irregular_shapes_have_hardly_a_hole() -> None:
    """Of the faces between a voxel of the shape and one outside nearly all touch an edge voxel."""
    blob = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(40, 40, 40)), 3)
    blob = blob > blob.std()
    edge, _ = edges(blob)
    faces = hit = 0
    for axis in range(3):
        before, after = (np.take(blob, range(i, i + 39), axis) for i in (0, 1))
        touched = np.take(edge, range(39), axis) | np.take(edge, range(1, 40), axis)
        faces += (before != after).sum()
        hit += ((before != after) & touched).sum()
    assert hit / faces > 0.99


def test_edges_are_those_that_canny_finds_in_the_whole_patch() -> None:
    labels = np.zeros((30, 40, 40), int)
    labels[:14, 9:20, 12:31] = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(14, 11, 19)), 2) > 0
    image = sitk.GetImageFromArray((labels == 1).astype(np.float32))
    whole = sitk.CannyEdgeDetection(image, 0.1, 0.2, [0.5] * 3, [0.01] * 3)
    assert np.array_equal(edges(labels)[0], sitk.GetArrayFromImage(whole) > 0)


def test_mask_cut_off_by_the_patch_has_no_edge_there() -> None:
    """A slab from slice 8 to the patch's end has one face, a plane between slices 7 and 8."""
    labels = np.zeros(SHAPE, int)
    labels[8:] = 1
    edge, tumor_edge = edges(labels)
    assert not tumor_edge.any()
    assert set(np.nonzero(edge)[0]) <= {7, 8} and (edge[7] ^ edge[8]).all()


def test_where_tumor_meets_kidney_is_an_edge_of_both() -> None:
    labels = np.where(ball(8), 1, 0)
    labels[:, :, 14:] *= 2
    kidney_edge, tumor_edge = edges(labels)
    meeting = (slice(8, 12), slice(10, 14), slice(13, 15))
    assert kidney_edge[meeting].any(-1).all() and tumor_edge[meeting].any(-1).all()
    assert not kidney_edge[..., 15:].any() and not tumor_edge[..., :13].any()


# The table.


@pytest.mark.parametrize("model", SCHEMAS)
def test_centers_are_known_names_and_their_probabilities_sum_to_one(model: str) -> None:
    names, shares = zip(*SCHEMAS[model].centers, strict=True)
    model = {"kidneys": "ba_net"}.get(model, model.removesuffix("_dw").removesuffix("_paper"))
    classes = CONFIGS[model, "small"].classes
    lines = tuple(f"{name} centerline" for name in classes)
    assert set(names) <= {"any", "foreground", "background", *classes, *lines}
    assert sum(shares) == pytest.approx(1)


def test_every_model_that_is_trained_on_scans_has_a_schema() -> None:
    assert set(SCHEMAS) >= {model for model, _ in CONFIGS} - {"locator"}


def test_kid_net_is_compared_with_itself_without_random_sampling() -> None:
    assert SCHEMAS["kid_net_dw"] == Schema(SCHEMAS["kid_net"].centers, None)


@pytest.mark.parametrize(
    ("model", "maps", "classes"),
    [
        ("kid_net", {"keep"}, VESSEL_CLASSES),
        ("sc_unet", {"kidney_edge", "tumor_edge"}, KITS_CLASSES),
        ("sc_unet_rough", {"kidney_edge", "tumor_edge"}, KITS_CLASSES),
    ],
)
def test_extras_are_what_the_loss_takes(model: str, maps: set[str], classes: tuple[str, ...]) -> None:
    extras: Callable = SCHEMAS[model].extras
    rng = np.random.default_rng(0)
    assert set(extras(rng.integers(0, len(classes), SHAPE), rng)) == maps
