"""Whether a CT shows contrast medium, and what is called a lesion where it does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import SimpleITK as sitk
from stub_networks import BA_NET, BRIGHT, TUMOR, Answer, Stub, near, system

from KidneyParsingLib.anatomy import structure
from KidneyParsingLib.inference import contrast
from KidneyParsingLib.inference.contrast import disfavour_lesions, hu_under, is_plain
from KidneyParsingLib.inference.grid import Grid
from KidneyParsingLib.volumes.geometry import image_from_array
from KidneyParsingLib.volumes.volume import Volume

KIDNEY, LESION, ARTERY = (structure(name).label for name in ("kidney", "tumor", "artery"))
GRID = Grid(np.zeros(3), (5.0, 5.0, 5.0), (8, 8, 8))


def a_scan(kidney_hu: float, artery_hu: float, tumor_hu: float = 40) -> tuple[np.ndarray, Volume]:
    """Structure labels on `GRID` and a CT on it, with noise of 15 HU."""
    labels = np.zeros(GRID.size, np.uint8)
    labels[:, :2], labels[:, 2:6], labels[:, 7] = KIDNEY, LESION, ARTERY
    hu = np.full(GRID.size, -100.0)
    for label, value in ((KIDNEY, kidney_hu), (LESION, tumor_hu), (ARTERY, artery_hu)):
        hu[labels == label] = value
    hu += np.random.default_rng(1).normal(0, 15, hu.shape)
    return labels, Volume(hu.astype(np.int16), GRID.affine)


@pytest.mark.parametrize(
    ("kidney_hu", "artery_hu", "plain"),
    [(33, 42, True), (150, 140, False), (38, 250, False), (110, 60, False)],
    ids=["no contrast", "portal", "kidney without blood, arterial", "excretory"],
)
def test_contrast_shows_in_kidney_or_artery_whatever_a_tumor_does(
    kidney_hu: float, artery_hu: float, plain: bool
) -> None:
    labels, volume = a_scan(kidney_hu, artery_hu)
    assert is_plain(labels, GRID, volume) is plain


def test_without_an_artery_the_kidney_s_bright_part_decides() -> None:
    """Of arterial kidneys only the cortex, here a quarter, is bright."""
    labels, volume = a_scan(35, 300)
    labels[labels == ARTERY] = 0
    assert is_plain(labels, GRID, volume)
    volume.array[:2, :2] = 150
    assert not is_plain(labels, GRID, volume)


def test_what_was_taken_for_tumor_stands_for_a_kidney_that_was_not_found() -> None:
    labels, volume = a_scan(35, 42, tumor_hu=33)
    labels[labels == KIDNEY] = LESION
    assert is_plain(labels, GRID, volume)
    assert not is_plain(np.where(labels == LESION, 0, labels), GRID, volume)


def test_specks_do_not_count() -> None:
    """Of 4 ml each: bone called artery beside a plain kidney, and bowel called kidney where there is no other."""
    labels, volume = a_scan(35, 42)
    labels[:, 7] = 0
    labels[:4, 7], volume.array[:4, 7] = ARTERY, 900
    labels[:, 7].flat[32:] = 0
    assert (labels == ARTERY).sum() == 32 and is_plain(labels, GRID, volume)
    assert not is_plain(np.where(labels == ARTERY, KIDNEY, 0), GRID, volume)


def test_hu_are_those_of_the_nearest_voxels_of_an_oblique_ct() -> None:
    """SimpleITK's nearest neighbours, on axes that are turned, flipped and of unequal spacing."""
    rng = np.random.default_rng(2)
    affine = np.eye(4)
    turn = np.array(sitk.Euler3DTransform((0, 0, 0), 0.2, 0.1, 3.0).GetMatrix()).reshape(3, 3)
    affine[:3, :3] = turn @ np.diag([1.1, 1.0, -1.7])
    affine[:3, 3] = 3.3, -4.1, 2.7
    volume = Volume(rng.integers(-1000, 1000, (9, 14, 12)).astype(np.int16), affine)
    center = (affine @ [5.5, 6.5, 4.0, 1.0])[:3]
    grid = Grid(center - 4, (2.0, 2.0, 2.0), (5, 5, 5))
    mask = rng.random(grid.size) < 0.5
    image = image_from_array(volume.array, affine)
    reference = image_from_array(np.zeros(grid.size, np.int16), grid.affine)
    expected = sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), sitk.sitkNearestNeighbor, 5000))
    assert (expected[mask] < 5000).all()
    np.testing.assert_array_equal(hu_under(mask, grid, volume), expected[mask])


def test_only_lesions_lose() -> None:
    scores = np.zeros((4, 2, 2, 2), np.float32)
    disfavour_lesions(scores, np.array([0, KIDNEY, LESION, structure("cyst").label]))
    assert (scores[:2] == 0).all() and (scores[2:] == -3).all()


def tumor_with(p: float) -> Answer:
    """Softmax maps of all structures: kidney where it is bright, tumor with probability p in a tumor."""

    def maps(hu: np.ndarray) -> np.ndarray:
        kidney, tumor = near(hu, BRIGHT), near(hu, TUMOR)
        return np.stack([~kidney & ~tumor, kidney + (1 - p) * tumor, p * tumor, *[hu * 0] * 4])

    return maps


@pytest.mark.parametrize(("p", "stays"), [(0.9, False), (0.98, True)])
def test_a_ct_without_contrast_shows_only_sure_tumors_and_says_so(
    parsed: Callable, monkeypatch: pytest.MonkeyPatch, p: float, stays: bool
) -> None:
    """The boxes' kidneys have 200 HU; where that is taken for plain the odds must be e^3, about 20, to 1."""
    stubs = {"a": Stub(BA_NET, tumor_with(p))}
    enhanced = parsed(system("a"), stubs)
    monkeypatch.setattr(contrast, "MOST_PLAIN_HU", 250.0)
    plain = parsed(system("a"), stubs)
    assert "tumor" in enhanced.volumes_ml() and not enhanced.notes
    assert ("tumor" in plain.volumes_ml()) == stays
    assert plain.notes == ("No contrast medium was seen: only sure lesions are shown.",)
