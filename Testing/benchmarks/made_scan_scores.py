"""Scores of one made (synthetic) scan: overlap, centre lines, tumors one by one, kidneys missed and false."""

from __future__ import annotations

import math
from typing import Any

import cc3d
import numpy as np
from scipy import ndimage

from KidneyParsingLib.anatomy import ORGAN_LABELS, TUBES, structure
from KidneyParsingLib.evaluation.kipa import at_one_mm
from KidneyParsingLib.evaluation.metrics import dice_by_structure, measure
from KidneyParsingLib.evaluation.pairs import MaskPair, bounding_window
from KidneyParsingLib.evaluation.targets import TARGETS

# The region that a planner looks at: so far around the kidneys' bounding box.
NEAR_MM = 40.0
# Upper bounds of a tumor's diameter, mm: small ones, then those of the stages T1a, T1b and T2 (UICC, 8th edition).
SIZE_CLASSES = {"<= 2 cm": 20.0, "2-4 cm": 40.0, "4-7 cm": 70.0, "> 7 cm": math.inf}
# Our choice: less than this is no lesion that one would report.
_LEAST_LESION_ML = 0.1
_LEAST_KIDNEY_ML = 10.0
# As nnDetection (Baumgartner et al., MICCAI 2021, arXiv 2106.00817).
_FOUND_IOU = 0.1
_FOUND_KIDNEY_SHARE = 0.1
# Kidney this far from the true one, along any axis, is false; what is nearer is a matter of its outline.
_OUTLINE_MM = 5
_ONE_MM = (1.0, 1.0, 1.0)
_TUMOR = structure("tumor").label
Scores = dict[str, Any]


def score_scan(predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...], known: tuple[str, ...]) -> Scores:
    """All scores of a pair of structure label maps, axes in any order, `spacing` in mm in that order.

    Structures that the truth lacks or the model does not know (`known`) have none. Overlap and tumors are taken on the
    scan's grid; centre lines and kidneys at 1 mm, so that they mean the same for every slice thickness.
    """
    window = near_kidneys(truth, spacing)
    fine = [at_one_mm(labels, spacing) for labels in (predicted, truth)]
    near = near_kidneys(fine[1], _ONE_MM)
    tubes = tuple(name for name in TUBES if name in known)
    return {
        "dice": _chosen(dice_by_structure(predicted, truth), known),
        "dice_near": _chosen(dice_by_structure(predicted[window], truth[window]), tubes),
        "cldice": _cldice(*fine, tubes),
        "cldice_near": _cldice(*(labels[near] for labels in fine), tubes),
        **(tumor_scores(predicted == _TUMOR, truth == _TUMOR, spacing) if "tumor" in known else {}),
        **(kidney_scores(*fine) if "kidney" in known else {}),
    }


def near_kidneys(truth: np.ndarray, spacing: tuple[float, ...]) -> tuple[slice, ...]:
    """The box around all kidneys and lesions, grown by `NEAR_MM`; empty where there are none."""
    box = bounding_window(np.isin(truth, ORGAN_LABELS))
    grown = [math.ceil(NEAR_MM / mm) for mm in spacing]
    return tuple(slice(max(0, s.start - g), s.stop + g) if s.stop else s for s, g in zip(box, grown, strict=True))


def diameter_mm(ml: float) -> float:
    """Diameter of the ball of this volume."""
    return 2 * (3 * 1000 * ml / (4 * math.pi)) ** (1 / 3)


def size_class(mm: float) -> str:
    """The class in `SIZE_CLASSES` of a tumor of this diameter."""
    return next(name for name, most in SIZE_CLASSES.items() if mm <= most)


def tumor_scores(predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]) -> Scores:
    """Every true lesion with its diameter and Dice and whether it was found, and the predicted ones that are false.

    A lesion is compared with the predicted components that touch it, less what of these lies in other lesions.
    """
    window = bounding_window(predicted | truth)
    parts = [cc3d.connected_components(mask[window], connectivity=26) for mask in (predicted, truth)]
    ml = math.prod(spacing) / 1000
    sizes = [np.bincount(part.ravel(), minlength=1) * ml for part in parts]
    lesions = [_lesion(*parts, number, ml) for number in _large(sizes[1])]
    hit = set(np.unique(parts[0][parts[1] > 0]).tolist())
    false = [float(sizes[0][number]) for number in _large(sizes[0]) if number not in hit]
    return {"tumors": lesions, "false_tumors": len(false), "false_tumor_ml": sum(false)}


def kidney_scores(predicted: np.ndarray, truth: np.ndarray) -> Scores:
    """How many true kidneys there are and were missed, and ml of false kidney, of structure labels at 1 mm."""
    found, real = (np.isin(labels, ORGAN_LABELS) for labels in (predicted, truth))
    parts = cc3d.connected_components(real, connectivity=26)
    voxels, hits = np.bincount(parts.ravel()), np.bincount(parts.ravel(), found.ravel())
    kidneys = np.flatnonzero(voxels[1:] >= _LEAST_KIDNEY_ML * 1000) + 1
    missed = int((hits[kidneys] < _FOUND_KIDNEY_SHARE * voxels[kidneys]).sum())
    around = ndimage.maximum_filter(real, 2 * _OUTLINE_MM + 1)
    false_ml = float(np.count_nonzero(found & ~around)) / 1000
    return {"kidneys": len(kidneys), "missed_kidneys": missed, "false_kidney_ml": false_ml}


def _large(ml: np.ndarray) -> list[int]:
    return (np.flatnonzero(ml[1:] >= _LEAST_LESION_ML) + 1).tolist()


def _lesion(predicted: np.ndarray, truth: np.ndarray, number: int, ml: float) -> Scores:
    lesion = truth == number
    touching = np.unique(predicted[lesion])
    found = np.isin(predicted, touching[touching > 0]) & (lesion | (truth == 0))
    both, total = int((found & lesion).sum()), int(found.sum()) + int(lesion.sum())
    return {
        "mm": diameter_mm(float(lesion.sum()) * ml),
        "dice": 2 * both / total,
        "found": both >= _FOUND_IOU * (total - both),
    }


def _chosen(scores: dict[str, float], names: tuple[str, ...]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if name in names}


def _cldice(predicted: np.ndarray, truth: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    labels = {name: structure(name).label for name in names}
    present = {name: label for name, label in labels.items() if (truth == label).any()}
    return {
        name: measure("cldice", MaskPair(predicted == label, truth == label, _ONE_MM), TARGETS[name])
        for name, label in present.items()
    }
