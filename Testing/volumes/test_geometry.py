"""Affines against SimpleITK's own physical points."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.volumes.geometry import (
    affine_of_image,
    direction_of,
    image_from_array,
    lps_to_ras,
    make_affine,
    spacing_of,
    voxel_ml,
)

ANGLES = [(0.0, 0.0, 0.0), (0.3, -0.2, 0.5), (-1.2, 2.0, 0.1)]
FLIPS = list(itertools.product([1, -1], repeat=3))


def an_image(angles: tuple[float, ...], flips: tuple[int, ...]) -> sitk.Image:
    image = sitk.Image([5, 6, 7], sitk.sitkInt16)
    image.SetSpacing((0.7, 0.8, 3.0))
    image.SetOrigin((-100.5, 20.25, -512.125))
    turn = np.reshape(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix(), (3, 3))
    image.SetDirection((turn @ np.diag(flips)).ravel().tolist())
    return image


@pytest.mark.parametrize("angles", ANGLES)
@pytest.mark.parametrize("flips", FLIPS)
def test_affine_maps_indices_as_itk_does(angles: tuple[float, ...], flips: tuple[int, ...]) -> None:
    image = an_image(angles, flips)
    affine = affine_of_image(image)
    for index in [(0, 0, 0), (4, 0, 0), (0, 5, 0), (0, 0, 6), (1, 2, 3)]:
        np.testing.assert_allclose((affine @ [*index, 1])[:3], image.TransformIndexToPhysicalPoint(index), atol=1e-9)


@pytest.mark.parametrize("angles", ANGLES)
@pytest.mark.parametrize("flips", FLIPS)
def test_image_of_array_and_affine_is_the_image(angles: tuple[float, ...], flips: tuple[int, ...]) -> None:
    image = an_image(angles, flips)
    again = image_from_array(sitk.GetArrayFromImage(image), affine_of_image(image))
    assert again.GetSize() == image.GetSize()
    for index in [(0, 0, 0), (4, 5, 6)]:
        expected = image.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(again.TransformIndexToPhysicalPoint(index), expected, atol=1e-9)
    np.testing.assert_allclose(again.GetDirection(), image.GetDirection(), atol=1e-12)


def test_affine_comes_apart_into_what_made_it() -> None:
    image = an_image(ANGLES[1], (1, -1, 1))
    affine = make_affine(image.GetSpacing(), image.GetOrigin(), np.reshape(image.GetDirection(), (3, 3)))
    np.testing.assert_allclose(spacing_of(affine), (0.7, 0.8, 3.0))
    np.testing.assert_allclose(direction_of(affine).ravel(), image.GetDirection(), atol=1e-12)
    np.testing.assert_array_equal(affine[:3, 3], image.GetOrigin())


def test_ras_mirrors_left_and_posterior_only() -> None:
    affine = affine_of_image(an_image(ANGLES[2], (1, 1, 1)))
    point = np.array([1, 2, 3, 1])
    left, posterior, superior, _ = affine @ point
    np.testing.assert_allclose((lps_to_ras(affine) @ point)[:3], (-left, -posterior, superior))
    np.testing.assert_array_equal(lps_to_ras(lps_to_ras(affine)), affine)


@pytest.mark.parametrize("flips", FLIPS)
def test_voxel_volume_is_positive_and_in_ml(flips: tuple[int, ...]) -> None:
    assert voxel_ml(affine_of_image(an_image(ANGLES[1], flips))) == pytest.approx(0.7 * 0.8 * 3.0 / 1000)
