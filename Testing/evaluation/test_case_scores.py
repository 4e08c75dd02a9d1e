"""Scores of a case by structure and metric, and KiTS's classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mask_shapes import box

from KidneyParsingLib.anatomy import STRUCTURES, structure
from KidneyParsingLib.evaluation.catalog import METRICS
from KidneyParsingLib.evaluation.challenges import KITS_CLASSES, KITS_METRICS
from KidneyParsingLib.evaluation.scores import Row, case_scores, evaluate_case
from KidneyParsingLib.evaluation.targets import TARGETS

KIDNEY, TUMOR, CYST, ARTERY = (structure(name).label for name in ("kidney", "tumor", "cyst", "artery"))
SHAPE = (4, 4, 20)


def labelled(**boxes: tuple[int, int]) -> np.ndarray:
    """Labels that fill these ranges of x."""
    labels = np.zeros(SHAPE, np.uint8)
    for name, (start, stop) in boxes.items():
        labels[box(SHAPE, (0, 0, start), (4, 4, stop))] = structure(name).label
    return labels


def test_scores_by_hand() -> None:
    """Slabs 1 mm a voxel. Kidney 0..10 and predicted 0..8: Dice 2 * 8 / 18, HD 2 mm. Tumor 10..14, predicted 8..14:
    Dice 2 * 4 / 10, HD 2 mm."""
    truth, predicted = labelled(kidney=(0, 10), tumor=(10, 14)), labelled(kidney=(0, 8), tumor=(8, 14))
    scores = case_scores(predicted, truth, (1, 1, 1))
    assert scores["kidney"] == pytest.approx({"dice": 16 / 18, "hd": 2})
    assert scores["tumor"] == pytest.approx({"dice": 8 / 10, "hd": 2})
    assert list(scores) == ["kidney", "tumor"]


def test_kits_classes_are_nested() -> None:
    """Tumor called cyst: wrong as tumor, right as mass and as part of the kidney."""
    truth, predicted = labelled(kidney=(0, 10), tumor=(10, 14)), labelled(kidney=(0, 10), cyst=(10, 14))
    scores = case_scores(predicted, truth, (1, 1, 1), KITS_CLASSES, KITS_METRICS)
    assert scores == {
        "kidney_and_mass": {"dice": 1.0, "surface_dice": 1.0},
        "mass": {"dice": 1.0, "surface_dice": 1.0},
        "tumor": {"dice": 0.0, "surface_dice": 0.0},
    }


@pytest.mark.parametrize(("name", "millimetres"), [("kidney_and_mass", 1.033), ("mass", 1.133), ("tumor", 1.15)])
def test_tolerances_are_those_of_kits(name: str, millimetres: float) -> None:
    assert TARGETS[name].tolerance_mm == pytest.approx(millimetres, abs=5e-4)


def test_named_structures_are_scored_also_where_they_are_absent() -> None:
    """Found where there is none: 0 and infinitely far. Neither there nor found: 1, and no distance."""
    scores = case_scores(labelled(tumor=(0, 4)), labelled(kidney=(0, 9)), (1, 1, 1), ("tumor", "cyst"), ("dice", "hd"))
    assert scores["tumor"] == {"dice": 0.0, "hd": math.inf}
    assert scores["cyst"]["dice"] == 1.0 and math.isnan(scores["cyst"]["hd"])
    with pytest.raises(KeyError):
        case_scores(labelled(), labelled(), (1, 1, 1), ("spleen",))


def test_metrics_of_tubes_are_taken_of_tubes() -> None:
    pytest.importorskip("skimage")
    truth = labelled(kidney=(0, 9), artery=(12, 20))
    scores = case_scores(truth, truth, (1, 1, 1), metrics=tuple(METRICS))
    assert set(scores["artery"]) == set(METRICS)
    assert set(METRICS) - set(scores["kidney"]) == {"cldice", "centerline_recall"}


def test_a_case_as_rows() -> None:
    truth = labelled(kidney=(0, 9))
    assert evaluate_case(truth, truth, (1, 1, 1), metrics=("dice",), case="a") == [Row("a", "kidney", "dice", 1.0)]


def test_every_structure_can_be_scored() -> None:
    assert {entry.name for entry in STRUCTURES} | set(KITS_CLASSES) == set(TARGETS)
