"""Entropy against worked examples and scipy, and what a boundary map adds to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from KidneyParsingLib.inference.uncertainty import entropy, uncertainty_of


def softmax_maps(shape: tuple[int, ...] = (11, 5, 6), classes: int = 7) -> np.ndarray:
    values = np.exp(3 * np.random.default_rng(2).standard_normal((classes, *shape)))
    return (values / values.sum(0)).astype(np.float32)


def sure_maps(labels: np.ndarray, classes: int = 3) -> np.ndarray:
    return (np.arange(classes)[:, None, None, None] == labels).astype(np.float32)


def test_entropy_is_scipys() -> None:
    maps = softmax_maps()
    expected = stats.entropy(maps.astype(float), axis=0) / np.log(7)
    found = entropy(maps)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(entropy(maps.astype(np.float16)), expected, atol=2e-3)


def test_entropy_of_known_voxels() -> None:
    voxels = np.array(
        [[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0, 0], [0, 0.5, 0.5]], np.float32
    )
    found = entropy(voxels.T[:, None, None])
    assert found.ravel() == pytest.approx([0, 0, np.log(2) / np.log(3), 1, 0, np.log(2) / np.log(3)], abs=1e-5)


def test_a_sure_background_costs_exactly_nothing() -> None:
    maps = np.array([1 - 1e-7, 1e-7, 0], np.float32).reshape(3, 1, 1, 1)
    assert entropy(maps).item() == 0


def test_nested_maps_add_both_entropies() -> None:
    whole, tumor = np.array([0.5, 0.5, 1, 0, 0.9]), np.array([0.5, 0, 0.5, 0, 0.2])
    expected = (stats.entropy([whole, 1 - whole], base=2) + stats.entropy([tumor, 1 - tumor], base=2)) / 2
    maps = np.stack([whole, tumor]).astype(np.float32)[:, None, None]
    assert entropy(maps).ravel() == pytest.approx(expected, abs=1e-5)


def test_two_softmax_maps_give_the_same_by_either_formula() -> None:
    maps = softmax_maps(classes=2)
    np.testing.assert_allclose(entropy(maps), stats.entropy(maps.astype(float), axis=0, base=2), atol=1e-5)


def test_without_a_boundary_uncertainty_is_entropy() -> None:
    maps = softmax_maps()
    np.testing.assert_array_equal(uncertainty_of(maps, maps.argmax(0)), entropy(maps))


def test_a_confirmed_surface_halves_the_rim() -> None:
    labels = np.zeros((10, 4, 8), np.uint8)
    labels[:, :, 4:] = 1
    maps = sure_maps(labels)
    maps[:, :, :, 3] = [[[0.5]], [[0.5]], [[0]]]
    boundary = np.zeros(labels.shape, np.float32)
    unseen = uncertainty_of(maps, labels, boundary)
    boundary[:, :, 3:5] = 1
    np.testing.assert_allclose(unseen, entropy(maps))
    np.testing.assert_allclose(uncertainty_of(maps, labels, boundary), entropy(maps) / 2)


@pytest.mark.parametrize("z", [0, 7, 8, 15, 19])
def test_a_boundary_within_one_label_is_doubt(z: int) -> None:
    labels = np.zeros((20, 9, 9), np.uint8)
    boundary = np.zeros(labels.shape, np.float16)
    boundary[z, 4, 4] = 0.75
    found = uncertainty_of(sure_maps(labels), labels, boundary)
    assert found[z, 4, 4] == 0.75
    assert np.count_nonzero(found) == 1


def test_slabs_leave_no_seams() -> None:
    labels = np.zeros((24, 6, 6), np.uint8)
    labels[8:] = 1  # a surface exactly between two slabs
    boundary = np.ones(labels.shape, np.float32)
    found = uncertainty_of(sure_maps(labels), labels, boundary)
    np.testing.assert_array_equal(found[:, 0, 0] == 0, np.isin(np.arange(24), (7, 8)))
