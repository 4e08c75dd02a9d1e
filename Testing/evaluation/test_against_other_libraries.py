"""The metrics on random blobs with unequal spacing, against MONAI, DeepMind's surface-distance and SimpleITK."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import pytest
import SimpleITK as sitk
from mask_shapes import blobs

from KidneyParsingLib.evaluation.element_areas import CORNERS, element_areas
from KidneyParsingLib.evaluation.overlap import dice
from KidneyParsingLib.evaluation.pairs import MaskPair
from KidneyParsingLib.evaluation.surface_elements import surface_dice
from KidneyParsingLib.evaluation.surfaces import average_hausdorff, hausdorff, hausdorff_95, surface_points

# MONAI warns of an argument of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")

SPACINGS = [(1.0, 1.0, 1.0), (2.5, 0.8, 0.7), (0.6, 1.7, 0.9)]
CASES = [(seed, spacing) for seed, spacing in enumerate(SPACINGS, start=11)]
# No distance in these grids equals one of them, where the last digit would decide.
TOLERANCES = (0.51, 1.033, 2.6)


@pytest.fixture(scope="module")
def monai() -> ModuleType:
    return pytest.importorskip("monai.metrics")


@pytest.fixture
def surface_distance() -> ModuleType:
    return pytest.importorskip("surface_distance")


def tensors(*masks: np.ndarray) -> list:
    import torch

    return [torch.from_numpy(mask)[None, None] for mask in masks]


@pytest.mark.parametrize(("seed", "spacing"), CASES)
def test_overlap_and_distances_equal_those_of_monai(seed: int, spacing: tuple[float, ...], monai: ModuleType) -> None:
    predicted, truth = blobs(seed)
    pair, both = MaskPair(predicted, truth, spacing), tensors(predicted, truth)
    keep = {"include_background": True}
    assert dice(predicted, truth) == pytest.approx(monai.compute_dice(*both, **keep).item(), abs=1e-6)
    hd = [monai.compute_hausdorff_distance(*both, spacing=spacing, percentile=p, **keep).item() for p in (None, 95)]
    assert [hausdorff(pair.surfaces), hausdorff_95(pair.surfaces)] == pytest.approx(hd, abs=1e-4)


@pytest.mark.parametrize(("seed", "spacing"), CASES)
def test_avd_is_the_mean_of_monais_directed_means(seed: int, spacing: tuple[float, ...], monai: ModuleType) -> None:
    """MONAI's own symmetric mean pools the voxels of both surfaces; the two agree within their sizes' difference."""
    predicted, truth = blobs(seed)
    there, back = tensors(predicted, truth), tensors(truth, predicted)
    keep = {"include_background": True, "spacing": spacing}
    ways = [monai.compute_average_surface_distance(*way, **keep).item() for way in (there, back)]
    avd = average_hausdorff(MaskPair(predicted, truth, spacing).surfaces)
    assert avd == pytest.approx(sum(ways) / 2, abs=1e-5)
    assert min(ways) <= monai.compute_average_surface_distance(*there, symmetric=True, **keep).item() <= max(ways)


@pytest.mark.parametrize(("seed", "spacing"), CASES)
def test_surface_dice_equals_that_of_monai(seed: int, spacing: tuple[float, ...], monai: ModuleType) -> None:
    """By surface elements; MONAI's other way, by voxels without areas, differs by up to 0.15 on these rough blobs."""
    predicted, truth = blobs(seed)
    both, elements = tensors(predicted, truth), MaskPair(predicted, truth, spacing).elements
    for tolerance in TOLERANCES:
        keep = {"class_thresholds": [tolerance], "include_background": True, "spacing": spacing}
        ours = surface_dice(elements, tolerance)
        assert ours == pytest.approx(monai.compute_surface_dice(*both, use_subvoxels=True, **keep).item(), abs=1e-5)
        assert ours == pytest.approx(monai.compute_surface_dice(*both, **keep).item(), abs=0.15)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("seed", "spacing"), CASES)
def test_surface_elements_are_those_of_surface_distance(
    seed: int, spacing: tuple[float, ...], surface_distance: ModuleType
) -> None:
    """Surface Dice is the same, as KiTS computes it; HD by its elements differs by less than a voxel's diagonal."""
    predicted, truth = blobs(seed)
    pair = MaskPair(predicted, truth, spacing)
    theirs = surface_distance.compute_surface_distances(truth, predicted, spacing)
    for tolerance in TOLERANCES:
        expected = surface_distance.compute_surface_dice_at_tolerance(theirs, tolerance)
        assert surface_dice(pair.elements, tolerance) == pytest.approx(expected, abs=1e-9)
    diagonal = math.dist((0, 0, 0), spacing)
    for percent, ours in ((100, hausdorff), (95, hausdorff_95)):
        robust = surface_distance.compute_robust_hausdorff(theirs, percent)
        assert ours(pair.surfaces) == pytest.approx(robust, abs=diagonal)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_areas_are_those_of_surface_distance_for_all_codes(
    spacing: tuple[float, ...], surface_distance: ModuleType
) -> None:
    tables = pytest.importorskip("surface_distance.lookup_tables")
    weights = [int(tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL[corner]) for corner in CORNERS]
    theirs = [sum(w for bit, w in enumerate(weights) if code >> bit & 1) for code in range(256)]
    table = tables.create_table_neighbour_code_to_surface_area(spacing)
    assert element_areas(spacing) == pytest.approx(table[theirs], abs=1e-9)


@pytest.mark.parametrize(("seed", "spacing"), CASES)
def test_distances_equal_those_of_itk_between_surfaces(seed: int, spacing: tuple[float, ...]) -> None:
    predicted, truth = blobs(seed)
    images = []
    for mask in (predicted, truth):
        voxels = np.zeros(mask.shape, np.uint8)
        voxels[tuple(np.rint(surface_points(mask, spacing) / spacing).astype(int).T)] = 1
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing(spacing[::-1])
        images.append(image)
    itk = sitk.HausdorffDistanceImageFilter()
    itk.Execute(*images)
    surfaces = MaskPair(predicted, truth, spacing).surfaces
    assert hausdorff(surfaces) == pytest.approx(itk.GetHausdorffDistance(), abs=1e-4)
    assert average_hausdorff(surfaces) == pytest.approx(itk.GetAverageHausdorffDistance(), abs=1e-4)
