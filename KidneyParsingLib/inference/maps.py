"""Probability maps of networks: their means over an ensemble, and the scores by which a voxel's class is chosen."""

from __future__ import annotations

import numpy as np

from ..networks.configs import NESTED, NetworkConfig, class_of_label

_SMALLEST = 1e-6


def scores_of(maps: np.ndarray, config: NetworkConfig) -> np.ndarray:
    """Scores (classes, z, y, x) float32 of probability maps (outputs, z, y, x); the largest one is the class.

    Softmax maps: their logarithms. Nested maps of whole and tumor: 0 for background, the logit of whole for kidney, the
    sum of both logits for tumor; where whole is above 1/2 that is: tumor if its map is above 1/2, else kidney. Scores
    are smooth, so that they can be interpolated to another grid, which class labels cannot.
    """
    if config.activation != NESTED:
        return np.log(np.maximum(maps, _SMALLEST))
    whole, tumor = _logit(maps)
    return np.stack([np.zeros_like(whole), whole, whole + tumor])


def forced(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Nested maps changed only where another rule than the threshold 1/2 decided: just above 1/2 within `masks` (same
    shape, bool), just below elsewhere."""
    margin = 1e-3
    return np.where(masks, np.maximum(maps, 0.5 + margin), np.minimum(maps, 0.5 - margin)).astype(np.float32)


def label_of_class(config: NetworkConfig) -> np.ndarray:
    """uint8 structure label of every class of a network (see `anatomy`)."""
    of_label = class_of_label(config.classes)
    return np.array([of_label.index(c) for c in range(len(config.classes))], np.uint8)


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, _SMALLEST, 1 - _SMALLEST)
    return np.log(p) - np.log1p(-p)
