"""Measures of one predicted scan against its truth, by column title (see `experiment.Claim`)."""

from __future__ import annotations

import numpy as np

from ..evaluation.regions import restricted
from ..evaluation.scores import case_scores, present_structures
from ..inference.maps import label_of_class
from ..networks.configs import NetworkConfig, class_of_label

_FOUR = ("kidney", "tumor", "artery", "vein")


def truth_of(labels: np.ndarray, config: NetworkConfig) -> np.ndarray:
    """The truth's structure labels (z, y, x) as a perfect network of this configuration would give them."""
    return label_of_class(config)[np.asarray(class_of_label(config.classes))[labels]]


def measures(
    predicted: np.ndarray,
    labels: np.ndarray,
    config: NetworkConfig,
    spacing: tuple[float, ...],
    metrics: tuple[str, ...] = ("dice", "hd"),
) -> dict[str, float]:
    """Dice and HD (mm) of every structure of the truth, Dice in the kidneys' bounding boxes, and the means of them.

    `metrics` may leave out "hd", which takes longest.

    `predicted` and `labels` (the whole truth) hold structure labels (z, y, x). A structure that the truth lacks has no
    measure. A missed structure's HD is the scan's diagonal.
    """
    truth = truth_of(labels, config)
    names = [*present_structures(truth), *(["kidney_and_mass"] if "kidney" in config.classes else [])]
    diagonal = float(np.linalg.norm(np.multiply(truth.shape, spacing)))
    scores = {}
    for name, values in case_scores(predicted, truth, spacing, names, metrics).items():
        title = name.replace("kidney_and_mass", "whole")
        for metric, value in values.items():
            scores[f"{metric} {title}"] = value if np.isfinite(value) else diagonal
    return scores | _box_scores(predicted, truth, labels, spacing) | _means(scores)


def _box_scores(
    predicted: np.ndarray, truth: np.ndarray, labels: np.ndarray, spacing: tuple[float, ...]
) -> dict[str, float]:
    """Dice within the boxes around the true kidneys, which the network itself need not know."""
    inside = restricted(np.ones_like(labels), labels, "kidneys")[0]
    boxed = case_scores(predicted * inside, truth * inside, spacing, metrics=("dice",))
    return {f"box {name}": values["dice"] for name, values in boxed.items()}


def _means(scores: dict[str, float]) -> dict[str, float]:
    means = {f"{m} mean": [scores[f"{m} {n}"] for n in _FOUR if f"{m} {n}" in scores] for m in ("dice", "hd")}
    means["composite"] = [scores[c] for c in ("dice whole", "dice tumor") if c in scores]
    return {title: float(np.mean(values)) for title, values in means.items() if values}
