"""Validation scores against masks counted by hand, and the picture against drawn shapes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from KidneyParsingLib.anatomy import structure
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks.configs import NESTED, NetworkConfig, config
from KidneyParsingLib.training.data.case import IGNORED, NO_LESION
from KidneyParsingLib.training.validation import CaseValidation

CONFIG = config("sc_unet", "tiny")  # background, kidney, tumor
CPU = torch.device("cpu")


@dataclass
class FakeCase:
    """A scan as `StoredCase` has it."""

    labels: np.ndarray
    hu: np.ndarray
    name: str = "case"


def case_of(**boxes: tuple[slice, slice, slice]) -> FakeCase:
    """A scan of 6 x 20 x 24 voxels of -1000 HU with boxes of structures, of 100 HU times their label."""
    labels = np.zeros((6, 20, 24), np.uint8)
    for name, box in boxes.items():
        labels[box] = structure(name).label
    return FakeCase(labels, np.where(labels, labels * np.int16(100), np.int16(-1000)))


def from_hu(network: nn.Module, config: NetworkConfig, hu: np.ndarray, device: torch.device) -> np.ndarray:
    """A prediction that sees tumors (200 HU) as they are and kidney (100 HU) in the first half of the columns only."""
    assert hu.dtype == np.float32 and not network.training
    predicted = np.where(hu == 200, 2, 0)
    predicted[..., :12][hu[..., :12] == 100] = 1
    return predicted


KIDNEYS = {"kidney": np.s_[1:5, 4:14, 4:20]}


def test_dice_by_hand_and_their_means() -> None:
    """Kidney: 8 of 16 columns are found, Dice 2 * 8 / (8 + 16) = 2/3 in both scans. Tumor: 1 in the second scan, absent
    in the first one, which does not count. A cyst and an artery are kidney and background for this network."""
    with_tumor = case_of(**KIDNEYS, tumor=np.s_[5:6, 4:8, 4:8], artery=np.s_[0:1, 0:4, 0:4])
    result = CaseValidation([case_of(**KIDNEYS), with_tumor], CONFIG, CPU, from_hu)(nn.Identity())
    assert result.scores == pytest.approx({"mean": (2 / 3 + 1) / 2, "kidney": 2 / 3, "tumor": 1.0})
    assert list(result.scores) == ["mean", "kidney", "tumor"]


def test_lesions_that_a_network_lacks_are_part_of_the_kidney() -> None:
    case = case_of(kidney=np.s_[1:3, 0:4, 0:4], cyst=np.s_[3:5, 0:4, 0:4])

    def kidney_in_both(*_: object) -> np.ndarray:
        return (case.labels > 0).astype(int)

    scores = CaseValidation([case], CONFIG, CPU, kidney_in_both)(nn.Identity()).scores
    assert scores["kidney"] == 1.0


def test_what_is_unknown_counts_for_nothing() -> None:
    """Kidney is predicted where it is and in a slice whose label is 254, and one whose label is 255."""
    case = case_of(kidney=np.s_[1:3, 0:4, 0:4])
    predicted = np.zeros(case.labels.shape, int)
    predicted[1:5, 0:4, 0:4] = 1
    labels = np.array(case.labels)
    labels[3], labels[4] = NO_LESION, IGNORED
    known = replace(case, labels=labels)
    assert CaseValidation([known], CONFIG, CPU, lambda *_: predicted.copy())(nn.Identity()).scores["kidney"] == 1.0


def test_a_class_seen_in_no_scan_has_no_score_and_one_seen_wrongly_has_zero() -> None:
    empty = case_of()
    scores = CaseValidation([empty], CONFIG, CPU, lambda *_: np.zeros((6, 20, 24), int))(nn.Identity()).scores
    assert all(np.isnan(score) for score in scores.values())
    wrong = CaseValidation([empty], CONFIG, CPU, lambda *_: np.ones((6, 20, 24), int))(nn.Identity()).scores
    assert wrong["kidney"] == 0.0 and wrong["mean"] == 0.0 and np.isnan(wrong["tumor"])


def test_the_network_is_in_training_mode_again_even_after_an_error() -> None:
    network = nn.Identity().train()
    CaseValidation([case_of(**KIDNEYS)], CONFIG, CPU, from_hu)(network)
    assert network.training

    def fail(*_: object) -> np.ndarray:
        raise MemoryError

    with pytest.raises(MemoryError):
        CaseValidation([case_of(**KIDNEYS)], CONFIG, CPU, fail)(network)
    assert network.training


def test_the_picture_has_truth_left_and_prediction_right_on_the_grey_slice() -> None:
    """Kidney in the slices 1 to 4: the slice of its middle voxel is 2. Its outline is drawn, its inside grey."""
    case = case_of(**KIDNEYS)
    case.hu[2, 0, 0] = 500
    picture = CaseValidation([case], CONFIG, CPU, from_hu)(nn.Identity()).picture
    assert picture.shape == (20, 48, 3) and picture.dtype == np.uint8
    color = list(structure("kidney").color)
    assert picture[4, 4].tolist() == color and picture[13, 19].tolist() == color
    assert picture[4, 24 + 4].tolist() == color and picture[4, 24 + 15].tolist() != color
    inside = round((100 + 200) / 700 * 255 - 0.5)
    assert picture[8, 8].tolist() == [inside] * 3
    assert picture[0, 0].tolist() == [255] * 3 and picture[19, 0].tolist() == [0] * 3


def test_the_slice_goes_through_the_largest_structure() -> None:
    case = case_of(kidney=np.s_[0:1, 2:4, 2:4], tumor=np.s_[5:6, 2:12, 2:12])
    picture = CaseValidation([case], CONFIG, CPU, from_hu)(nn.Identity()).picture
    assert picture[2, 2].tolist() == list(structure("tumor").color)


def test_a_scan_without_structures_has_a_picture_too() -> None:
    picture = CaseValidation([case_of()], CONFIG, CPU, from_hu)(nn.Identity()).picture
    assert picture.max() == 0


class Thresholds(nn.Module):
    """Nested logits: whole above 50 HU, tumor above 150 HU."""

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        hu = x * self.config.std_hu + self.config.mean_hu
        return torch.cat([hu - 50, hu - 150], 1)


def test_by_default_the_users_predictor_is_asked() -> None:
    nested = replace(CONFIG, activation=NESTED)
    network = Thresholds()
    network.config = nested
    case = case_of(**KIDNEYS, tumor=np.s_[2:4, 6:9, 6:9])
    scores = CaseValidation([case], nested, CPU)(network).scores
    assert scores == pytest.approx({"mean": 1.0, "kidney": 1.0, "tumor": 1.0})


def test_validation_without_cases_is_refused() -> None:
    with pytest.raises(InputError, match="no cases"):
        CaseValidation([], CONFIG, CPU)
