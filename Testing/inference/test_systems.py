"""The systems as data, their regions, and every released one on the sample CTA."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from KidneyParsingLib.inference.grid import Grid
from KidneyParsingLib.inference.options import DEFAULT_MODEL, Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.inference.regions import component_boxes, largest_components, patch_boxes
from KidneyParsingLib.inference.registry import find_network, list_models
from KidneyParsingLib.inference.systems import SYSTEMS, model_of
from KidneyParsingLib.networks.checkpoint import load_network
from KidneyParsingLib.networks.configs import CONFIGS
from KidneyParsingLib.networks.registry import NETWORKS
from KidneyParsingLib.volumes.volume import Volume

GRID = Grid(np.full(3, 2.0), (4.0, 4.0, 4.0), (40, 60, 80))
LARGE = Grid(np.full(3, 2.0), (4.0, 4.0, 4.0), (60, 60, 80))


def test_the_papers_five_systems_and_the_ensembles_are_all_released() -> None:
    names = {model.name for model in list_models()}
    assert {"ba_net", "boundary_stream", "bisc_unet", "kid_net", "tu_net", "rb_ensemble"} <= names
    assert names == {system.name for system in SYSTEMS} and DEFAULT_MODEL in names


@pytest.mark.parametrize("size", ["paper", "small", "tiny"])
def test_every_network_of_a_system_has_every_configuration(size: str) -> None:
    for network in {n for system in SYSTEMS for n in system.trained_for}:
        assert (model_of(network), size) in CONFIGS


def test_members_of_an_ensemble_are_numbered() -> None:
    assert model_of("boundary_stream_3") == "boundary_stream" and model_of("kid_net") == "kid_net"


def test_every_weights_file_is_the_one_in_the_manifest() -> None:
    for network in {n for model in list_models() for n in model.network_names}:
        entry = find_network(network)
        assert hashlib.sha256(entry.path.read_bytes()).hexdigest() == entry.sha256
        assert load_network(entry.path)[1].network in NETWORKS


def ball(center: tuple[int, int, int], radius: int, grid: Grid = GRID) -> np.ndarray:
    z, y, x = np.ogrid[tuple(map(slice, grid.size))]
    return (z - center[0]) ** 2 + (y - center[1]) ** 2 + (x - center[2]) ** 2 <= radius**2


def test_of_a_rough_mask_the_two_largest_components_stay() -> None:
    mask = ball((20, 30, 20), 7) | ball((20, 30, 60), 6) | ball((5, 10, 40), 3)
    parts = largest_components(mask, GRID)
    assert len(np.unique(parts)) == 3 and not parts[5, 10, 40] and parts[20, 30, 20] and parts[20, 30, 60]


def test_specks_of_less_than_5_ml_are_no_kidney() -> None:
    assert not largest_components(ball((20, 30, 20), 2), GRID).any()


@pytest.mark.parametrize(
    ("radius", "width", "height"),
    # 1 mm voxels, patch of 160: a component of 2r + 1 voxels of 4 mm.
    [(7, 160, 64), (19, 160, 160), (20, 192, 176), (24, 208, 208)],
)
def test_bisc_regions_are_160_or_192_voxels_wide_and_a_multiple_of_16_high(
    radius: int, width: int, height: int
) -> None:
    parts = largest_components(ball((30, 30, 40), radius, LARGE), LARGE)
    (box,) = patch_boxes(parts, LARGE, (64, 160, 160), (1.0, 1.0, 1.0))
    assert box.high - box.low == pytest.approx([width, width, height])
    assert box.center == pytest.approx(LARGE.origin + 4.0 * np.array([40, 30, 30]))


def test_other_regions_have_a_margin() -> None:
    (box,) = component_boxes(largest_components(ball((20, 30, 40), 7), GRID), GRID)
    assert box.high - box.low == pytest.approx([4 * 15 + 48] * 3)


@pytest.mark.parametrize("name", sorted({system.name for system in SYSTEMS} - {"ba_net"}))
def test_every_system_parses_the_sample(name: str, sample_ct: Volume, sample_truth: np.ndarray) -> None:
    """What it finds overlaps the truth, and nothing is found that the model does not know."""
    parser = KidneyParser(Options(model=name, device="cpu", backend="torch"))
    result = parser.parse(sample_ct)
    found = {segment.structure.name for segment in result.segments}
    model = next(model for model in list_models() if model.name == name)
    assert found and found <= set(model.structures)
    main = "artery" if "kidney" not in model.structures else "kidney"
    label = {"artery": 3, "kidney": 1}[main]
    a, b = result.structure_labels() == label, sample_truth == label
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.3
