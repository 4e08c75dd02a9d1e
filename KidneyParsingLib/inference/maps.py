"""Probability maps of networks: their means over an ensemble, and the scores by which a voxel's class is chosen."""

from __future__ import annotations

import numpy as np

from ..networks.configs import NESTED, NetworkConfig, class_of_label
from ..threads import side_by_side

SMALLEST = 1e-6
# The background's score where no network has looked: more than any that a network gives.
UNSEEN = 1e3
_MOST_FLOAT32_BYTES = 2e8


def scores_of(maps: np.ndarray, config: NetworkConfig) -> np.ndarray:
    """Scores (classes, z, y, x) of probability maps (outputs, z, y, x), of the same number type; the largest one is the
    class. Softmax maps become scores in their own memory.

    Softmax maps: their logarithms. Nested maps of whole and tumor: 0 for background, the logit of whole for kidney, the
    sum of both logits for tumor; where whole is above 1/2 that is: tumor if its map is above 1/2, else kidney. Scores
    are smooth, so that they can be interpolated to another grid, which class labels cannot.
    """
    if config.activation != NESTED:
        return _logarithms(maps)
    whole, tumor = map(_logit, maps)
    return np.stack([np.zeros_like(whole), whole, whole + tumor]).astype(maps.dtype, copy=False)


class MapSum:
    """Probability maps of overlapping regions on one grid, and their mean.

    They are kept in float32, or in float16 where they would take more than `_MOST_FLOAT32_BYTES`: of whole scans.
    """

    def __init__(self, maps: int, size: tuple[int, ...]) -> None:
        is_large = 4 * maps * np.prod(size, dtype=float) > _MOST_FLOAT32_BYTES
        self.total = np.zeros((maps, *size), np.float16 if is_large else np.float32)
        self.count = np.zeros(size, np.uint8)

    def add(self, window: tuple[slice, ...], maps: np.ndarray, where: np.ndarray | None = None) -> None:
        """Adds maps (maps, z, y, x) of a window; with `where` (z, y, x; bool) only there."""
        side_by_side(lambda index: self._add_map(index, window, maps[index], where), range(len(maps)))
        self.count[window] += 1 if where is None else where.astype(np.uint8)

    def _add_map(self, index: int, window: tuple[slice, ...], one: np.ndarray, where: np.ndarray | None) -> None:
        self.total[index][window] += one if where is None else one * where

    @property
    def seen(self) -> np.ndarray:
        """Where (z, y, x) there are any maps."""
        return self.count > 0

    def mean(self) -> np.ndarray:
        """The mean maps (maps, z, y, x), made in the sum's own memory; nothing can be added afterwards."""
        for plane, count in enumerate(self.count):
            if (count > 1).any():
                self.total[:, plane] /= np.maximum(count, 1)
        return self.total


def winners(scores: np.ndarray) -> np.ndarray:
    """The first class (z, y, x; uint8) of the largest score (classes, z, y, x)."""
    return np.stack(side_by_side(_winners_of_plane, np.moveaxis(scores, 1, 0)))


def _winners_of_plane(scores: np.ndarray) -> np.ndarray:
    return scores.astype(np.float32).argmax(0).astype(np.uint8)


def forced(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Nested maps changed only where another rule than the threshold 1/2 decided: just above 1/2 within `masks` (same
    shape, bool), just below elsewhere."""
    margin = 1e-3
    return np.where(masks, np.maximum(maps, 0.5 + margin), np.minimum(maps, 0.5 - margin)).astype(np.float32)


def label_of_class(config: NetworkConfig) -> np.ndarray:
    """uint8 structure label of every class of a network (see `anatomy`)."""
    of_label = class_of_label(config.classes)
    return np.array([of_label.index(c) for c in range(len(config.classes))], np.uint8)


def _logarithms(maps: np.ndarray) -> np.ndarray:
    side_by_side(_take_logarithm, maps)
    return maps


def _take_logarithm(of_class: np.ndarray) -> None:
    for plane in of_class:  # a plane at a time, as float16 is computed in float32
        plane[:] = np.log(np.maximum(plane, SMALLEST, dtype=np.float32))


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p.astype(np.float32), SMALLEST, 1 - SMALLEST)  # float16 has nothing between that and 1
    return np.log(p) - np.log1p(-p)
