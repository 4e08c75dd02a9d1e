"""A second look at every kidney that was found, by a network that knows kidneys and their lesions only.

A network that learns all structures of a trunk sees few lesions among its samples; one that is shown a kidney at a time
sees little else (docs/experiments.md, 26).
"""

from __future__ import annotations

import cc3d
import numpy as np

from ..networks.configs import NetworkConfig
from ..volumes.volume import Volume
from .backends.backend import Tick
from .cleanup import MIN_KIDNEY_ML, ORGAN
from .grid import Grid
from .maps import SMALLEST, label_of_class, winners
from .network_input import network_input
from .network_pass import Predictor
from .passes import share_of

# Around a kidney that was found, mm: what grows out of it may have been missed.
_MARGIN_MM = 16.0
# A patient has two kidneys; more parts are a kidney in pieces, or false.
_MOST_PARTS = 4
# How much the second look counts beside the first.
_WEIGHT = 0.5


def look_again(
    scores: np.ndarray, config: NetworkConfig, grid: Grid, lesions: Predictor, volume: Volume, tick: Tick
) -> None:
    """Changes scores (C, z, y, x; logarithms of probabilities) on a grid, in place, where kidneys were found: what the
    first look has for background, kidney, tumor and cyst together becomes the mean of its own sharing and that of
    `lesions`, a network of those classes and of the grid's spacing. Vessels and ureters stay."""
    windows = _kidney_windows(scores, config, grid, lesions.config.stride)
    rows = [config.classes.index(name) for name in lesions.config.classes]
    for index, window in enumerate(windows):
        hu = network_input(volume, grid.part(window), lesions.config)
        found = lesions.maps(hu, tick=share_of(tick, index, len(windows)))
        for plane, second in zip(range(window[0].start, window[0].stop), np.moveaxis(found, 1, 0), strict=True):
            place = (rows, plane, *window[1:])
            scores[place] = _shared_anew(scores[place].astype(np.float32), second)


def _shared_anew(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Scores (classes, y, x) of the mean of a first look's scores and a second look's probabilities."""
    p = np.exp(np.minimum(first, 0))
    mean = (1 - _WEIGHT) * p + _WEIGHT * p.sum(0) * second
    return np.log(np.maximum(mean, SMALLEST))


def _kidney_windows(scores: np.ndarray, config: NetworkConfig, grid: Grid, stride: int) -> list[tuple[slice, ...]]:
    """Windows of the grid around the largest parts that were taken for kidneys with their lesions."""
    organ = np.isin(label_of_class(config)[winners(scores)], ORGAN)
    parts = cc3d.connected_components(organ, connectivity=26)
    voxels = np.bincount(parts.ravel())
    voxels[0] = 0
    least = MIN_KIDNEY_ML * 1000 / float(np.prod(grid.spacing))
    largest = [part for part in np.argsort(voxels)[::-1][:_MOST_PARTS] if voxels[part] >= least]
    margin = (_MARGIN_MM,) * 3
    return [grid.window(grid.box_of(parts == part).grown(margin, margin), stride) for part in largest]
