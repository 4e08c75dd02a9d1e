"""What networks are given: sizes and spacings of resized grids, the median filter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from KidneyParsingLib.inference.grid import Box, bounds
from KidneyParsingLib.inference.network_input import median_filtered, network_grid, network_input, network_spacing
from KidneyParsingLib.inference.resampling import resampled
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.volumes.geometry import make_affine
from KidneyParsingLib.volumes.volume import Volume

PLAIN = replace(config("tu_net", "tiny"), median=False)
MEDIAN = replace(PLAIN, median=True)


def test_resized_axes_have_exactly_the_wanted_size_and_cover_the_box() -> None:
    """Extents that are not sums of binary fractions, so that rounding goes either way."""
    for extent in np.random.default_rng(0).uniform(30, 700, (300, 3)).round(1):
        box = Box(np.array([-100.1, 3.3, 7.7]), np.array([-100.1, 3.3, 7.7]) + extent)
        grid = network_grid(box, replace(PLAIN, resize=(0, 96, 128), spacing_mm=(5.0, 1.0, 1.0)))
        assert grid.size[1:] == (96, 128) and grid.size[0] == np.ceil(extent[2] / 5)
        assert np.multiply(grid.spacing, (1, 96, 128))[1:] == pytest.approx(extent[[1, 0]])
        assert grid.origin - np.array(grid.spacing[::-1]) / 2 == pytest.approx(box.low)


def test_a_volume_stands_for_the_box_around_it() -> None:
    volume = Volume(np.zeros((20, 30, 40), np.int16), make_affine((1.5, 2.0, 3.0), (5, 6, 7), np.diag([-1, 1, -1])))
    resized = replace(PLAIN, resize=(10, 0, 16), spacing_mm=(9.0, 4.0, 9.0))
    assert network_spacing(volume, resized) == network_spacing(bounds(volume), resized) == (6.0, 4.0, 3.75)
    assert network_grid(volume, resized).size == (10, 15, 16)


def test_the_median_is_that_of_27_voxels() -> None:
    """Against sorting every neighbourhood; beyond the border its voxels go on."""
    hu = np.random.default_rng(1).normal(0, 100, (5, 6, 7)).astype(np.float32)
    wide = np.pad(hu, 1, mode="edge")
    expected = [np.sort(wide[z : z + 3, y : y + 3, x : x + 3].ravel())[13] for z, y, x in np.ndindex(hu.shape)]
    assert np.array_equal(median_filtered(hu, MEDIAN).ravel(), np.array(expected))
    assert median_filtered(hu, PLAIN) is hu


def test_the_median_takes_specks_off_the_resampled_ct() -> None:
    array = np.full((30, 30, 30), 40, np.int16)
    array[15, 15, 15] = 3000
    volume = Volume(array, np.diag([3.0, 3.0, 3.0, 1.0]))
    grid = network_grid(volume, PLAIN)
    assert network_input(volume, grid, PLAIN).max() == 3000 == resampled(volume, grid).max()
    assert (network_input(volume, grid, MEDIAN) == 40).all()
