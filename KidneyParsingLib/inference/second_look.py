"""A second look at every kidney that was found, by a network that knows kidneys, their lesions and ureters only.

A network that learns all structures of a trunk sees few lesions among its samples; one that is shown a kidney at a time
sees little else (docs/experiments.md, 26 and 28).
"""

from __future__ import annotations

import time

import cc3d
import numpy as np

from ..networks.configs import NetworkConfig
from ..volumes.volume import Volume
from .backends.backend import Tick
from .cleanup import LESIONS, MIN_KIDNEY_ML, ORGAN
from .grid import Grid
from .maps import SMALLEST, label_of_class, winners
from .network_input import network_input
from .network_pass import PassPlan, Predictor
from .passes import Window, share_of
from .speeds import expected_seconds, note_seconds

# Around a kidney that was found, mm: what grows out of it may have been missed.
_MARGIN_MM = 16.0
# Voxels of two such windows on a grid of 2 mm, usually.
_USUAL_VOXELS = 2 * 64**3
# A patient has two kidneys; more parts are a kidney in pieces, or false.
_MOST_PARTS = 4
# How much the second look counts beside the first: for what belongs to the kidney at all, for what of that is a lesion,
# and for ureters; chosen on the validation split and real scans (docs/experiments.md, 26 and 28).
_WEIGHT_OF_ORGAN = 0.5
_WEIGHT_OF_LESIONS = 0.5
_WEIGHT_OF_URETERS = 0.65
_ORGAN_CLASSES = ("kidney", *LESIONS)
# So much of what the second look has for kidney and lesions is added to what the first has, whose shares of next to
# nothing are no opinion.
_HARDLY = 1e-4
_TINY = 1e-12


def look_again(
    scores: np.ndarray, config: NetworkConfig, grid: Grid, network: Predictor, volume: Volume, tick: Tick
) -> None:
    """Changes scores (C, z, y, x; logarithms of probabilities) on a grid, in place, where kidneys were found: what the
    first look has for the classes of `network` together is shared out anew (`shared_anew`) with what this says, a
    network of background, kidney, tumor, cyst and ureter and of the grid's spacing. Vessels stay."""
    windows = _windows(scores, config, grid, network.config.stride)
    classes = network.config.classes
    rows = [config.classes.index(name) for name in classes]
    # Where the first look has not been, or the second already has, nothing changes.
    todo = scores[0] <= 0
    for index, window in enumerate(windows):
        found = _second(network, network_input(volume, grid.part(window), network.config), tick, index, len(windows))
        for z, second in zip(range(window[0].start, window[0].stop), np.moveaxis(found, 1, 0), strict=True):
            first = scores[(rows, z, *window[1:])].astype(np.float32)
            anew = np.log(shared_anew(np.exp(np.minimum(first, 0)), second, classes))
            scores[(rows, z, *window[1:])] = np.where(todo[(z, *window[1:])], anew, first)
        todo[window] = False


def shared_anew(first: np.ndarray, second: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Probabilities (C, y, x) of `classes`, of which `first` has a sum of its own and `second` the sum 1: as much as
    `first` has together. Of this ureters have the weighted mean of both shares. Of the rest the organ, kidney with its
    lesions, has what both have for it beside the background, weighted; and each of its classes the weighted mean of
    both shares of the organ, where the second look counts the less the less it is sure of an organ."""
    organ = np.array([name in _ORGAN_CLASSES for name in classes])
    tubes = ~organ & (np.arange(len(classes)) > 0)
    total, sure = first.sum(0), second[organ].sum(0)
    anew = np.empty_like(first)
    anew[tubes] = _mean(first[tubes], total * second[tubes], _WEIGHT_OF_URETERS)
    inside = _mean(first[organ].sum(0), total * sure, _WEIGHT_OF_ORGAN)
    outside = _mean(first[0], total * second[0], _WEIGHT_OF_ORGAN)
    left = (total - anew[tubes].sum(0)) / np.maximum(inside + outside, _TINY)
    anew[0] = left * outside
    parts = first[organ] + _HARDLY * second[organ]
    parts /= np.maximum(parts.sum(0), _TINY)
    anew[organ] = left * inside * ((1 - _WEIGHT_OF_LESIONS * sure) * parts + _WEIGHT_OF_LESIONS * second[organ])
    return np.maximum(anew, SMALLEST)


def _mean(first: np.ndarray, second: np.ndarray, weight: float) -> np.ndarray:
    return (1 - weight) * first + weight * second


def second_look_seconds(network: Predictor) -> float:
    """How long the second look at two kidneys is expected to take."""
    return expected_seconds(network, _USUAL_VOXELS, PassPlan())


def _second(network: Predictor, hu: np.ndarray, tick: Tick, index: int, count: int) -> np.ndarray:
    """The network's maps of one of `count` windows; how long it took is remembered."""
    start = time.perf_counter()
    found = network.maps(hu, tick=share_of(tick, index, count))
    note_seconds(network, hu.size, PassPlan(), time.perf_counter() - start)
    return found


def _windows(scores: np.ndarray, config: NetworkConfig, grid: Grid, stride: int) -> list[Window]:
    """Windows of the grid around the largest parts that were taken for kidneys with their lesions."""
    organ = np.isin(label_of_class(config)[winners(scores)], ORGAN)
    parts = cc3d.connected_components(organ, connectivity=26)
    voxels = np.bincount(parts[organ])
    least = MIN_KIDNEY_ML * 1000 / float(np.prod(grid.spacing))
    largest = [part for part in np.argsort(voxels)[::-1][:_MOST_PARTS] if voxels[part] >= least]
    margin = (_MARGIN_MM,) * 3
    return [grid.window(grid.box_of(parts == part).grown(margin, margin), stride) for part in largest]
