"""How real scans are scored and labelled for training, on masks drawn by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "Testing" / "benchmarks"), str(ROOT / "Utilities")]

import label_real_scans  # noqa: E402
from label_real_scans import IGNORED, completed, credible, write_case  # noqa: E402
from real_scans import false_ml, kidneys_missed, near_reference, vessel_dice  # noqa: E402

from KidneyParsingLib.inference.grid import Grid  # noqa: E402
from KidneyParsingLib.networks.configs import MAYBE_NEIGHBOUR, NEIGHBOUR_LABELS  # noqa: E402
from KidneyParsingLib.training.data.case import NO_LESION  # noqa: E402

SPACING = (3.0, 1.0, 1.0)
SHAPE = (10, 60, 60)


def a_vessel(first: int, last: int, row: int = 30) -> np.ndarray:
    """A square tube of 4 x 4 voxels in slices `first` to `last`."""
    mask = np.zeros(SHAPE, bool)
    mask[first : last + 1, row : row + 4, 28:32] = True
    return mask


def test_vessels_are_scored_where_the_reference_shows_them() -> None:
    """The prediction goes on above the reference, and a far one lies 20 mm beside it: neither counts."""
    truth = a_vessel(2, 5)
    everywhere = np.ones(SHAPE, bool)
    assert vessel_dice(a_vessel(0, 9) | a_vessel(3, 4, row=52), truth, everywhere, SPACING) == 1.0
    assert near_reference(truth, SPACING).any((1, 2)).tolist() == [2 <= z <= 5 for z in range(10)]
    shifted = vessel_dice(a_vessel(2, 5, row=32), truth, everywhere, SPACING)
    assert shifted == pytest.approx(0.5)


def test_missed_and_false_kidneys() -> None:
    """Two kidneys of 1000 voxels; one is found by a twentieth only, and 125 voxels lie apart from both."""
    truth = np.zeros((20, 40, 40), bool)
    truth[5:15, 5:15, 5:15] = truth[5:15, 5:15, 25:35] = True
    predicted = np.zeros_like(truth)
    predicted[5:15, 5:15, 5:15] = True
    predicted[5:10, 5:10, 25:27] = True
    predicted[0:5, 30:35, 0:5] = True
    assert kidneys_missed(predicted, truth, 500) == 1
    assert false_ml(predicted, truth, 0.01) == pytest.approx(1.25)


def test_references_are_unknown_where_they_are_silent() -> None:
    """Aorta drawn in slices 2 to 5, found in all; a ureter found anywhere. Kidney stays kidney."""
    reference = a_vessel(2, 5).astype(np.uint8) * 3
    reference[4, 5:10, 5:10] = 1
    reference[4, 5:10, 10] = IGNORED
    found = a_vessel(0, 9).astype(np.uint8) * 3
    found[4, 5:7, 5:7] = 5
    found[7, 50, 50] = 5
    labels = completed(reference, found, Grid(np.zeros(3), SPACING, SHAPE))
    assert (labels[8][a_vessel(8, 8)[8]] == IGNORED).all()
    assert not (labels[3, 20:, 20:] == IGNORED).any() and (labels[4, 5:10, 5:10] == 1).all()
    assert (labels[4, 5:10, 10] == IGNORED).all()
    assert labels[7, 50, 50] == labels[7, 50, 51] == IGNORED and labels[7, 50, 55] == 0


def test_a_kidney_s_sinus_is_unknown_but_not_what_lies_beside_it() -> None:
    """A block of 40 x 60 x 40 mm, hollow from one side: 20 mm wide and 20 deep, which lets no ball of 30 mm in."""
    reference = np.zeros((40, 60, 60), np.uint8)
    reference[10:30, 15:45, 20:40] = 1
    reference[10:30, 25:35, 30:40] = 0
    grid = Grid(np.zeros(3), (2.0, 2.0, 2.0), reference.shape)
    labels = completed(reference, np.zeros_like(reference), grid)
    assert (labels[12:28, 26:34, 31:36] == IGNORED).all() and (labels[reference == 1] == 1).all()
    outside = np.ones(reference.shape, bool)
    outside[10:30, 15:45, 20:40] = False
    assert not labels[outside].any()
    cropped = tuple(slice(10, 40) for _ in range(3))
    narrow = reference[cropped]
    labels = completed(narrow, np.zeros_like(narrow), Grid(np.zeros(3), grid.spacing, narrow.shape))
    assert not labels[outside[cropped]].any()


def test_a_reference_without_kidneys_is_labelled_too() -> None:
    nothing = np.zeros(SHAPE, np.uint8)
    assert not completed(nothing, nothing, Grid(np.zeros(3), SPACING, SHAPE)).any()


def test_neighbours_are_believed_where_they_are_sure_large_and_bright() -> None:
    """A liver with an unsure rim and a second piece; ascites called spleen; a spine of any brightness."""
    liver, spleen, spine = (NEIGHBOUR_LABELS[name] for name in ("liver", "spleen", "spine"))
    labels, hu = np.zeros((10, 20, 40), np.uint8), np.full((10, 20, 40), 5)
    labels[:, :10, :10] = labels[:2, 18:, :2] = liver
    labels[:, :10, 20:30], labels[:, 14:18, 14:18] = spleen, spine
    hu[labels == liver] = 50
    sure = np.ones(labels.shape, bool)
    sure[:, 9] = False
    result = credible(labels, sure, hu)
    assert (result[:, :9, :10] == liver).all() and (result[:, 9, :10] == MAYBE_NEIGHBOUR).all()
    assert (result[:2, 18:, :2] == MAYBE_NEIGHBOUR).all() and (result[:, :10, 20:30] == MAYBE_NEIGHBOUR).all()
    assert (result[labels == spine] == spine).all() and (result[labels == 0] == 0).all()


@pytest.mark.parametrize("unknown", [IGNORED, NO_LESION])
def test_what_is_unknown_is_written_as_asked_for(unknown: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kidney with a calyx that its reference does not score; a ureter that the model finds below it."""
    reference = np.zeros((32, 32, 32), np.uint8)
    reference[6:10, 5:15, 5:15] = 1
    reference[7, 14, 9:11] = IGNORED
    found = np.zeros_like(reference)
    found[1:3, 20, 20] = 5
    image, mask = tmp_path / "a.nii.gz", tmp_path / "a_ref.nii.gz"
    for path, array in ((image, np.where(reference == 1, 40, -1000).astype(np.int16)), (mask, reference)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    for folder in ("imagesTr", "labelsTr"):
        (tmp_path / "out" / folder).mkdir(parents=True)
    monkeypatch.setattr(label_real_scans, "segment", lambda path: SimpleNamespace(structure_labels=lambda: found))
    monkeypatch.setattr(label_real_scans, "neighbours", lambda volume: np.zeros(reference.shape, np.uint8))
    write_case(image, mask, tmp_path / "out", unknown)
    written = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / "labelsTr" / "a.nii.gz")))
    assert (written[7, 14, 9:11] == unknown).all() and (written[1:3, 20, 20] == unknown).all()
    assert (written == 1).sum() == (reference == 1).sum() and set(np.unique(written)) == {0, 1, unknown}
