"""Samples cut from stored scans: what they are centred on, what they hold, that they come again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from KidneyParsingLib.networks.configs import NetworkConfig, class_of_label, config
from KidneyParsingLib.training.augmentation import NONE, Augmentation
from KidneyParsingLib.training.cases import StoredCase
from KidneyParsingLib.training.data.points import candidate_points
from KidneyParsingLib.training.data.sampling import draw_center, moved_inside
from KidneyParsingLib.training.patches import PatchSamples

SHAPE = (40, 44, 48)
# Cubes of 6 voxels, far enough from one another and the border for patches of 8.
CORNERS = {1: (6, 6, 6), 2: (6, 6, 30), 3: (6, 28, 6), 4: (26, 6, 6), 5: (26, 28, 6), 6: (26, 28, 30)}
PATCH = (8, 8, 8)
KITS = replace(config("boundary_stream", "tiny"), patch=PATCH)
VESSELS = replace(config("kid_net", "tiny"), patch=PATCH)
STRUCTURES = replace(config("ba_net", "tiny"), patch=PATCH)


@dataclass(frozen=True)
class Plan:
    """As training.schemas.Schema."""

    centers: tuple[tuple[str, float], ...]
    extras: Callable | None = None


def cubes(values: tuple[int, ...]) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    for value in values:
        labels[tuple(slice(c, c + 6) for c in CORNERS[value])] = value
    return labels


def stored(folder: Path, labels: np.ndarray, name: str = "a", spacing: tuple = (3.0, 3.0, 3.0)) -> StoredCase:
    """A stored case without the way through image files; every HU other than its neighbours'."""
    folder = folder / name
    folder.mkdir()
    hu = np.random.default_rng(1).integers(-1000, 1500, labels.shape).astype(np.int16)
    np.save(folder / "hu.npy", hu)
    np.save(folder / "labels.npy", labels)
    np.savez(folder / "points.npz", **candidate_points(labels))
    return StoredCase(name, folder, spacing, tuple(np.bincount(labels.ravel(), minlength=7).tolist()))


@pytest.fixture
def a_case(tmp_path: Path) -> StoredCase:
    return stored(tmp_path, cubes((1, 2, 3, 4, 5, 6)))


def middles(case: StoredCase, network: NetworkConfig, *centers: tuple[str, float], count: int = 300) -> np.ndarray:
    """How many of `count` samples have each class in their middle."""
    samples = PatchSamples([case], network, Plan(centers), NONE, count)
    classes = [int(samples[i]["labels"][4, 4, 4]) for i in range(count)]
    return np.bincount(classes, minlength=len(network.classes))


def assert_shares(counts: np.ndarray, shares: list[float]) -> None:
    """Within four standard deviations of the binomial distribution."""
    n = counts.sum()
    for count, share in zip(counts, shares, strict=True):
        assert abs(count - n * share) <= 4 * np.sqrt(n * share * (1 - share)) + 1e-9, counts


def test_a_sample_is_the_scaled_crop_and_its_classes(a_case: StoredCase) -> None:
    sample = PatchSamples([a_case], KITS, Plan((("tumor", 1.0),)), NONE, 5)[3]
    image, labels = sample["image"], sample["labels"]
    assert image.shape == (1, *PATCH) and image.dtype == torch.float32
    assert labels.shape == PATCH and labels.dtype == torch.int64
    hu = torch.from_numpy(np.array(a_case.hu)).float()
    windows = hu.unfold(0, 8, 1).unfold(1, 8, 1).unfold(2, 8, 1)
    crop = (image[0] * 1000).round()
    place = ((windows.clamp(-1000, 1000) - crop).abs().amax((-1, -2, -3)) < 0.5).nonzero()
    assert len(place) == 1
    window = tuple(slice(int(a), int(a) + 8) for a in place[0])
    assert np.array_equal(labels.numpy(), np.array(class_of_label(KITS.classes))[a_case.labels[window]])


def test_centres_follow_the_schema(a_case: StoredCase) -> None:
    """Boundary stream: tumor 0.8, any foreground 0.1 (kidney or tumor alike), background 0.1."""
    counts = middles(a_case, KITS, ("tumor", 0.8), ("foreground", 0.1), ("background", 0.1))
    assert_shares(counts, [0.1, 0.05, 0.85])


def test_classes_of_several_structures_are_drawn_by_volume(tmp_path: Path) -> None:
    """KiTS' kidney is kidney and cyst, here of 216 and 432 voxels; the HU of the middle show which was drawn."""
    labels = cubes((1, 6))
    labels[26:32, 28:34, 36:42] = 6
    case = stored(tmp_path, labels)
    np.save(case.folder / "hu.npy", labels.astype(np.int16) * 100)
    samples = PatchSamples([case], KITS, Plan((("kidney", 1.0),)), NONE, 200)
    hu = [round(samples[i]["image"][0, 4, 4, 4].item() * 1000) for i in range(200)]
    assert_shares(np.array([hu.count(100), hu.count(600)]), [1 / 3, 2 / 3])


@pytest.mark.parametrize("name", ["artery", "artery centerline"])
def test_vessels_and_their_centrelines(a_case: StoredCase, name: str) -> None:
    assert_shares(middles(a_case, VESSELS, (name, 1.0), count=40), [0, 1, 0, 0])


def test_kid_net_s_four_places(a_case: StoredCase) -> None:
    quarter = [(f"{name} centerline", 0.25) for name in ("artery", "vein", "ureter")]
    assert_shares(middles(a_case, VESSELS, ("background", 0.25), *quarter), [0.25] * 4)


def test_foreground_is_each_class_as_often(a_case: StoredCase) -> None:
    assert_shares(middles(a_case, STRUCTURES, ("foreground", 1.0)), [0, *[1 / 6] * 6])


def test_any_is_even_over_the_scan(a_case: StoredCase) -> None:
    """Six cubes of 216 voxels in 40 x 44 x 48."""
    counts = middles(a_case, STRUCTURES, ("any", 1.0))
    assert_shares(np.array([counts[0], counts[1:].sum()]), [1 - 6 * 216 / 84480, 6 * 216 / 84480])


def test_what_a_scan_lacks_falls_back_to_foreground(tmp_path: Path) -> None:
    case = stored(tmp_path, cubes((1,)))
    assert_shares(middles(case, KITS, ("tumor", 1.0), count=30), [0, 1, 0])
    assert_shares(middles(case, KITS, ("artery centerline", 1.0), count=30), [0, 1, 0])


def test_without_any_structure_patches_come_from_anywhere(tmp_path: Path) -> None:
    case = stored(tmp_path, cubes(()))
    assert_shares(middles(case, KITS, ("tumor", 0.5), ("foreground", 0.5), count=30), [1, 0, 0])


def test_a_scan_full_of_structure_has_no_background_to_centre_on(tmp_path: Path) -> None:
    case = stored(tmp_path, np.ones((16, 16, 16), np.uint8))
    assert_shares(middles(case, KITS, ("background", 1.0), count=10), [0, 1, 0])


def test_scans_are_drawn_evenly(tmp_path: Path) -> None:
    cases = [stored(tmp_path, cubes((label,)), str(label)) for label in (1, 2)]
    samples = PatchSamples(cases, KITS, Plan((("foreground", 1.0),)), NONE, 300)
    counts = np.bincount([int(samples[i]["labels"][4, 4, 4]) for i in range(300)], minlength=3)
    assert_shares(counts, [0, 0.5, 0.5])


def test_a_sample_depends_on_seed_and_index_alone(a_case: StoredCase) -> None:
    strong = Augmentation(30.0, (0.7, 1.4), 4.0, 1.0, (0, 1, 2), 0.1, 10.0, 0.1, 20.0)
    plan = Plan((("any", 1.0),), lambda labels, rng: {"draw": torch.tensor(rng.random())})
    one, two = (PatchSamples([a_case], KITS, plan, strong, n, seed=3) for n in (5, 9))
    [two[i] for i in (7, 0)]
    for name, value in one[4].items():
        assert torch.equal(value, two[4][name])
        assert not torch.equal(value, two[5][name]) or name == "labels"
    other = PatchSamples([a_case], KITS, plan, strong, 5, seed=4)
    assert not torch.equal(one[4]["image"], other[4]["image"])
    assert len(one) == 5


def test_extras_are_made_from_the_sample_s_own_classes(a_case: StoredCase) -> None:
    def extras(labels: np.ndarray, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        assert labels.dtype == np.int64
        return {"twice": torch.from_numpy(2 * labels)}

    sample = PatchSamples([a_case], KITS, Plan((("tumor", 1.0),), extras), Augmentation(flip_axes=(0, 1, 2)), 3)[2]
    assert torch.equal(sample["twice"], 2 * sample["labels"]) and set(sample) == {"image", "labels", "twice"}


def test_a_patch_of_the_whole_grid_is_the_whole_scan(a_case: StoredCase) -> None:
    """As L-Net's, whatever it is centred on."""
    whole = replace(KITS, patch=SHAPE)
    labels = PatchSamples([a_case], whole, Plan((("tumor", 1.0),)), NONE, 1)[0]["labels"]
    expected = np.array(class_of_label(KITS.classes))[a_case.labels]
    assert np.array_equal(labels.numpy(), expected)


@pytest.mark.parametrize(
    ("length", "patch", "center", "expected"),
    [(48, 8, 0, 4), (48, 8, 47, 44), (48, 8, 20, 20), (48, 7, 0, 3), (48, 7, 47, 44), (8, 8, 7, 4), (5, 8, 4, 2)],
)
def test_patches_are_moved_into_the_scan(length: int, patch: int, center: int, expected: int) -> None:
    """Patch voxel n // 2 lies on the centre: of 8 voxels 4 lie before it and 3 after."""
    assert moved_inside(np.full(3, center), (length,) * 3, (patch,) * 3).tolist() == [expected] * 3


def test_the_shared_order_of_fall_back_is_kept() -> None:
    """Asked in turn: the name, every foreground class, then any."""
    asked = []

    class Empty:
        def class_point(self, index: int, rng: np.random.Generator) -> None:
            asked.append(index)

        def centerline_point(self, index: int, rng: np.random.Generator) -> None:
            asked.append(-index)

        def any_point(self, rng: np.random.Generator) -> np.ndarray:
            return np.array([1, 2, 3])

    plan = Plan((("vein centerline", 1.0),))
    assert draw_center(plan, VESSELS.classes, Empty(), np.random.default_rng(0)).tolist() == [1, 2, 3]
    assert asked[0] == -2 and sorted(asked[1:]) == [1, 2, 3]
