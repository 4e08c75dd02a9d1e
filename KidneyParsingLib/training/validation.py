"""Dice of a network on held-out scans during training, by the same way through the network as a user's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from ..evaluation.metrics import dice
from ..networks.configs import NetworkConfig
from .data.case import UNKNOWN
from .patches import class_lookup
from .pictures import side_by_side

if TYPE_CHECKING:
    from .cases import StoredCase

MEAN = "mean"
# HU (z, y, x) float32 on the network's grid -> class indices (z, y, x).
Predict = Callable[[nn.Module, NetworkConfig, np.ndarray, torch.device], np.ndarray]


@dataclass(frozen=True)
class ValidationResult:
    """Dice by class name and their `mean` (nan: the class is in no scan); a picture (H, W, 3) uint8 of the first scan,
    truth left and prediction right."""

    scores: dict[str, float]
    picture: np.ndarray | None = None


def predicted_classes(network: nn.Module, config: NetworkConfig, hu: np.ndarray, device: torch.device) -> np.ndarray:
    """The class index (z, y, x) of every voxel by the users' predictor, without mirroring."""
    from ..inference.backends.torch_backend import TorchBackend
    from ..inference.maps import scores_of
    from ..inference.network_pass import Predictor

    return scores_of(Predictor(TorchBackend(network, config, device), config).maps(hu), config).argmax(0)


class CaseValidation:
    """Validates a network on stored cases: `validation(network)`. Raises InputError if there are none.

    A class's score is the mean over the scans that have it in truth or prediction (nnU-Net's rule); `mean` is the mean
    of the classes.
    """

    def __init__(
        self,
        cases: Sequence[StoredCase],
        config: NetworkConfig,
        device: torch.device,
        predict: Predict = predicted_classes,
    ) -> None:
        if not cases:
            raise InputError("There are no cases to validate on; give at least one, or switch validation off.")
        self.cases, self.config, self.device, self.predict = cases, config, device, predict
        self._class_of_label = class_lookup(config.classes).numpy().astype(np.uint8)

    def __call__(self, network: nn.Module) -> ValidationResult:
        """Scores of the network, which is in evaluation mode meanwhile."""
        with _evaluating(network):
            results = [self._of_case(network, case, index == 0) for index, case in enumerate(self.cases)]
        scores = {name: _mean(result.scores[name] for result in results) for name in self.config.classes[1:]}
        return ValidationResult({MEAN: _mean(scores.values()), **scores}, results[0].picture)

    def _of_case(self, network: nn.Module, case: StoredCase, with_picture: bool) -> ValidationResult:
        hu = np.asarray(case.hu, np.float32)
        truth = self._class_of_label[case.labels]
        predicted = self.predict(network, self.config, hu, self.device).astype(np.uint8)
        predicted[np.isin(case.labels, UNKNOWN)] = 0
        picture = side_by_side(hu, (truth, predicted), self.config) if with_picture else None
        names = enumerate(self.config.classes[1:], 1)
        return ValidationResult({name: _dice(truth == i, predicted == i) for i, name in names}, picture)


def _dice(truth: np.ndarray, predicted: np.ndarray) -> float:
    return dice(predicted, truth) if truth.any() or predicted.any() else float("nan")


def _mean(values: Iterable[float]) -> float:
    """The mean of those that are not nan; nan if none is."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)
