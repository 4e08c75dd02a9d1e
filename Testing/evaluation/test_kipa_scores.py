"""KiPA22's HD and AVD against the ITK filters that its organisers use."""

from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK as sitk
from mask_shapes import blobs

from KidneyParsingLib.anatomy import structure
from KidneyParsingLib.evaluation.kipa import at_one_mm, contour, kipa_scores

SPACING = (0.63, 0.63, 0.63)
KIDNEY, ARTERY = structure("kidney").label, structure("artery").label


def image(array: np.ndarray, mm: float = 1.0) -> sitk.Image:
    made = sitk.GetImageFromArray(array.astype(np.uint8))
    made.SetSpacing((mm,) * 3)
    return made


def itk_at_one_mm(labels: np.ndarray, mm: float) -> np.ndarray:
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([round(size * mm) for size in labels.shape[::-1]])
    resampler.SetOutputSpacing((1, 1, 1))
    resampler.SetInterpolator(sitk.sitkNearestNeighbor)
    return sitk.GetArrayFromImage(resampler.Execute(image(labels, mm)))


def itk_hd_avd(predicted: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    contours = [sitk.SimpleContourExtractor(image(mask)) for mask in (predicted, truth)]
    hausdorff = sitk.HausdorffDistanceImageFilter()
    hausdorff.Execute(*contours)
    return hausdorff.GetHausdorffDistance(), hausdorff.GetAverageHausdorffDistance()


@pytest.mark.parametrize("mm", [0.586, 0.63, 0.73])
def test_labels_at_one_mm_are_those_of_itk(mm: float) -> None:
    labels = np.random.default_rng(2).integers(0, 5, (19, 23, 31)).astype(np.uint8)
    assert (at_one_mm(labels, (mm,) * 3) == itk_at_one_mm(labels, mm)).all()


def test_the_contour_is_that_of_itk() -> None:
    mask, _ = blobs(3)
    assert (contour(mask) == sitk.GetArrayFromImage(sitk.SimpleContourExtractor(image(mask))).astype(bool)).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_scores_are_those_of_the_organisers_steps(seed: int) -> None:
    predicted, truth = (mask.astype(np.uint8) * KIDNEY for mask in blobs(seed, (40, 44, 50)))
    scores = kipa_scores(predicted, truth, SPACING)["kidney"]
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(image(predicted), image(truth))
    assert scores["dice"] == pytest.approx(overlap.GetDiceCoefficient())
    expected = itk_hd_avd(itk_at_one_mm(predicted, SPACING[0]), itk_at_one_mm(truth, SPACING[0]))
    assert (scores["hd"], scores["avd"]) == pytest.approx(expected, abs=1e-4)


def test_the_faces_of_the_volume_stand_in_for_what_is_not_found() -> None:
    """One artery voxel in the middle of 11 x 11 x 11 mm, none predicted.

    The nearest face voxel is 5 mm away, the furthest a corner at 5 sqrt(3) mm.
    """
    truth = np.zeros((11, 11, 11), np.uint8)
    truth[5, 5, 5] = ARTERY
    scores = kipa_scores(np.zeros_like(truth), truth, (1, 1, 1))
    assert scores["artery"]["dice"] == 0
    assert scores["artery"]["hd"] == pytest.approx(5 * math.sqrt(3))
    faces = np.ones(truth.shape, bool)
    faces[1:-1, 1:-1, 1:-1] = False
    way_to_middle = np.linalg.norm(np.argwhere(faces) - 5, axis=1).mean()
    assert scores["artery"]["avd"] == pytest.approx((way_to_middle + 5) / 2)
    assert math.isnan(scores["tumor"]["hd"]) and scores["tumor"]["dice"] == 1
