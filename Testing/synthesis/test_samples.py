"""Samples of made anatomies, on an anatomy drawn by hand: grids, classes, centres by schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks.configs import NetworkConfig, config
from KidneyParsingLib.synthesis.samples import MadeSamples
from KidneyParsingLib.synthesis.tissues import Tissue

SHAPE = (64, 80, 96)
SPACING_MM = 2.0
# Cubes of 12 voxels, 24 mm, far enough apart that a patch of 24 mm shows one of them.
CORNERS = {
    Tissue.CORTEX: (26, 22, 14), Tissue.TUMOR: (26, 22, 40), Tissue.CYST: (26, 22, 66),
    Tissue.ARTERY: (26, 48, 14), Tissue.VEIN: (26, 48, 40), Tissue.URINE: (26, 48, 66),
}  # fmt: skip
PATCH = (12, 12, 12)


@dataclass(frozen=True)
class Plan:
    """As training.schemas.Schema."""

    centers: tuple[tuple[str, float], ...]
    extras: Callable | None = None


@pytest.fixture
def anatomies(tmp_path: Path) -> Path:
    tissues = np.zeros(SHAPE, np.uint8)
    tissues[:, 10:70, 6:90] = Tissue.FAT
    for tissue, corner in CORNERS.items():
        tissues[tuple(slice(c, c + 12) for c in corner)] = tissue
    np.savez_compressed(tmp_path / "anatomy_00001.npz", tissues=tissues, spacing=np.float32(SPACING_MM))
    return tmp_path


def of(model: str, **changes: object) -> NetworkConfig:
    return replace(config(model, "tiny"), spacing_mm=(2.0,) * 3, patch=PATCH, **changes)


def middles(anatomies: Path, network: NetworkConfig, *centers: tuple[str, float], count: int = 150) -> np.ndarray:
    samples = MadeSamples(anatomies, network, count, schema=Plan(centers))
    classes = [int(samples[i]["labels"][6, 6, 6]) for i in range(count)]
    return np.bincount(classes, minlength=len(network.classes)) / count


def test_without_a_schema_a_sample_is_image_and_labels(anatomies: Path) -> None:
    sample = MadeSamples(anatomies, of("ba_net"), 3)[2]
    assert set(sample) == {"image", "labels"}
    assert sample["image"].shape == (1, *PATCH) and sample["image"].dtype == torch.float32
    assert sample["labels"].shape == PATCH and sample["labels"].dtype == torch.int64


@pytest.mark.parametrize(
    ("model", "expected"),
    [("ba_net", {1, 2, 3, 4, 5, 6}), ("boundary_stream", {1, 2}), ("kid_net", {1, 2, 3}), ("tu_net", {1, 2})],
)
def test_labels_are_the_network_s_classes(model: str, expected: set[int], anatomies: Path) -> None:
    """A cyst is kidney to a network that knows no cyst; vessels are background to one that knows none."""
    samples = MadeSamples(anatomies, of(model), 40, schema=Plan((("foreground", 1.0),)))
    assert {int(v) for i in range(40) for v in samples[i]["labels"].unique()} == {0, *expected}


def test_centres_follow_the_schema(anatomies: Path) -> None:
    """The patch's middle may turn half a voxel out of a cube, hence the wide limits."""
    shares = middles(anatomies, of("boundary_stream"), ("tumor", 0.8), ("foreground", 0.1), ("background", 0.1))
    assert shares == pytest.approx([0.1, 0.05, 0.85], abs=0.12)
    vessels = [(f"{name} centerline", 0.25) for name in ("artery", "vein", "ureter")]
    assert middles(anatomies, of("kid_net"), ("background", 0.25), *vessels) == pytest.approx([0.25] * 4, abs=0.14)


def test_a_name_that_the_anatomy_lacks_falls_back_to_foreground(anatomies: Path) -> None:
    path = anatomies / "anatomy_00001.npz"
    with np.load(path, allow_pickle=False) as file:
        tissues = file["tissues"]
    tissues[tissues == Tissue.TUMOR] = Tissue.FAT
    np.savez_compressed(path, tissues=tissues, spacing=np.float32(SPACING_MM))
    assert middles(anatomies, of("boundary_stream"), ("tumor", 1.0), count=30)[1] > 0.85


def test_background_is_not_the_air_around_the_body(anatomies: Path) -> None:
    samples = MadeSamples(anatomies, of("boundary_stream"), 40, schema=Plan((("background", 1.0),)))
    network = samples.config
    hu = [samples[i]["image"] * network.std_hu + network.mean_hu for i in range(40)]
    assert min(float((h > -400).float().mean()) for h in hu) > 0.2


def test_a_lesion_thinner_than_two_voxels_is_found(anatomies: Path) -> None:
    """It lies between the voxels, every second one, that are looked at first."""
    tissues = np.full(SHAPE, Tissue.FAT, np.uint8)
    tissues[31, 40:44, 46:50] = Tissue.TUMOR
    np.savez_compressed(anatomies / "anatomy_00001.npz", tissues=tissues, spacing=np.float32(SPACING_MM))
    samples = MadeSamples(anatomies, of("boundary_stream"), 12, schema=Plan((("tumor", 1.0),)))
    assert sum(bool((samples[i]["labels"] == 2).any()) for i in range(12)) >= 8


@pytest.mark.parametrize("spacing", [1.0, 2.0, 3.0, 4.0])
def test_a_cube_has_its_size_in_mm_on_any_spacing(spacing: float, anatomies: Path) -> None:
    """24 mm a side, 13.8 ml, times the random scale of 0.74 to 1.28 an axis; the mean of 16 is near 1."""
    network = of("boundary_stream") if spacing == 2 else replace(of("boundary_stream"), spacing_mm=(spacing,) * 3)
    network = replace(network, patch=(round(60 / spacing) // 4 * 4,) * 3)
    samples = MadeSamples(anatomies, network, 16, schema=Plan((("tumor", 1.0),)))
    volumes = [int((samples[i]["labels"] == 2).sum()) * spacing**3 / 1000 for i in range(16)]
    assert np.mean(volumes) == pytest.approx(13.8, rel=0.25)


def test_shares_are_what_classes_fill_of_a_voxel(tmp_path: Path) -> None:
    """Sheets of tumor 1 mm thick every 4 mm, on a grid of 2 mm: a quarter of the volume, no voxel to more than a half.
    Labels are the largest shares."""
    tissues = np.full((96, 96, 96), Tissue.FAT, np.uint8)
    tissues[::4] = Tissue.TUMOR
    np.savez_compressed(tmp_path / "anatomy_00001.npz", tissues=tissues, spacing=np.float32(1.0))
    samples = MadeSamples(tmp_path, of("boundary_stream"), 12, schema=Plan((("tumor", 1.0),)), soft=True)
    drawn = [samples[i] for i in range(12)]
    shares = torch.stack([sample["shares"] for sample in drawn])
    assert shares.shape == (12, 3, *PATCH)
    assert torch.allclose(shares.sum(1), torch.ones(12, *PATCH))
    assert shares[:, 2].mean().item() == pytest.approx(0.25, abs=0.03)
    assert all(torch.equal(sample["shares"].argmax(0), sample["labels"]) for sample in drawn)
    assert "shares" not in MadeSamples(tmp_path, of("boundary_stream"), 1)[0]


def test_a_median_network_is_shown_filtered_images(anatomies: Path) -> None:
    """The same sample without and with the filter, against scipy's; the border repeats."""
    plain, filtered = (MadeSamples(anatomies, of("tu_net", median=m), 2)[1] for m in (False, True))
    network = of("tu_net")
    hu = plain["image"][0].numpy() * network.std_hu + network.mean_hu
    expected = (ndimage.median_filter(hu, 3, mode="nearest") - network.mean_hu) / network.std_hu
    inside = (np.abs(expected) < 1) & (hu > -199)
    assert np.abs(filtered["image"][0].numpy() - expected)[inside].max() < 1e-3
    assert torch.equal(plain["labels"], filtered["labels"])


def test_extras_see_the_labels(anatomies: Path) -> None:
    plan = Plan((("tumor", 1.0),), lambda labels, rng: {"kidney": torch.from_numpy(labels == 1)})
    sample = MadeSamples(anatomies, of("boundary_stream"), 2, schema=plan)[1]
    assert torch.equal(sample["kidney"], sample["labels"] == 1)


def test_samples_come_again_for_the_same_seed_and_index(anatomies: Path) -> None:
    plan = Plan((("any", 1.0),))
    first, again, other = (MadeSamples(anatomies, of("kid_net"), 4, seed, plan)[3] for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["image"], other["image"])


@pytest.mark.parametrize("entry", [("sc_unet_rough", "tiny"), ("l_net", "tiny"), ("ba_net", "paper")])
def test_grids_that_cannot_be_painted_are_refused_with_the_way_out(entry: tuple[str, str], anatomies: Path) -> None:
    with pytest.raises(InputError, match="--data ours"):
        MadeSamples(anatomies, config(*entry), 1)


@pytest.mark.parametrize(("model", "mirrors"), [("ba_net", False), ("tu_net", True)])
def test_patients_are_mirrored_only_where_sides_do_not_matter(model: str, mirrors: bool, anatomies: Path) -> None:
    """A patch over the whole body, kidney's cube in its right half: mirrored, it comes to lie in the left one."""
    tissues = np.full((32, 32, 32), Tissue.FAT, np.uint8)
    tissues[8:24, 8:24, 4:12] = Tissue.CORTEX
    np.savez_compressed(anatomies / "anatomy_00001.npz", tissues=tissues, spacing=np.float32(SPACING_MM))
    network = replace(of(model), patch=(32, 32, 32))
    samples = MadeSamples(anatomies, network, 24, schema=Plan((("any", 1.0),)))
    sides = {_side(samples[i]) for i in range(24)} - {0}
    assert (sides == {-1, 1}) == mirrors


def _side(sample: dict[str, torch.Tensor]) -> int:
    """-1 or 1: the half (low or high x) in which most of the foreground lies; 0 where there is none."""
    columns = (sample["labels"] > 0).nonzero()[:, 2].float()
    return 0 if not len(columns) else (1 if columns.mean() > 15.5 else -1)


def test_the_second_look_s_patches_show_kidneys_and_mostly_lesions(anatomies: Path) -> None:
    """Half of them are centred on lesions, a quarter on ureters, and a quarter on kidneys, of whose three cubes tumor
    and cyst are two."""
    network = replace(config("second_look"), patch=tuple(2 * n for n in PATCH))
    samples = MadeSamples(anatomies, network, 150, close_up=True)
    counts = [np.bincount(samples[i]["labels"].flatten(), minlength=7)[1:] for i in range(150)]
    most = np.array([np.argmax(count) for count in counts if count.any()])
    assert len(most) > 120 and np.isin(most, (1, 5)).mean() == pytest.approx(0.67, abs=0.1)
    assert (most == 4).mean() == pytest.approx(0.25, abs=0.1)


def test_networks_are_shown_what_looks_like_kidneys_too(anatomies: Path) -> None:
    """Close-ups alone show kidneys, lesions and ureters only."""
    kinds = {m: len(MadeSamples(anatomies, of(m), 1)._centers()) for m in ("boundary_stream", "ba_net")}
    second = MadeSamples(anatomies, replace(config("second_look"), patch=PATCH), 1, close_up=True)._centers()
    assert len(second) == 3 and set(kinds.values()) == {7}
