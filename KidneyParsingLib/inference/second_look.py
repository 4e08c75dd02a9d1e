"""A second look at every kidney that was found, by a network that sees smaller voxels and mostly kidneys.

A network that learns all structures of a trunk sees few lesions among its samples, and its voxels are wider than a
renal artery; one that is shown a kidney at a time sees little else (docs/experiments.md, 26 to 30).
"""

from __future__ import annotations

import time

import cc3d
import numpy as np

from ..anatomy import ORGAN, ORGAN_LABELS
from ..networks.configs import NetworkConfig
from ..threads import side_by_side
from ..volumes.volume import Volume
from .backends.backend import Tick
from .cleanup import MIN_KIDNEY_ML
from .fine_parts import FinePart
from .grid import Grid
from .maps import SMALLEST, UNSEEN, label_of_class, winners
from .network_input import network_input
from .network_pass import PassPlan, Predictor
from .passes import Window, share_of
from .speeds import expected_seconds, note_seconds

# Around a kidney that was found, mm: what grows out of it may have been missed.
_MARGIN_MM = 16.0
# Two such windows, usually.
_USUAL_MM3 = 2 * 128.0**3
# Planes of the coarse grid that are shared out at a time.
_PLANES = 4
# A patient has two kidneys; more parts are a kidney in pieces, or false.
_MOST_PARTS = 4
# How much the second look counts beside the first: for what belongs to the kidney at all, for what of that is a lesion,
# and for tubes; chosen on the validation split and real scans (docs/experiments.md, 26, 28 and 30).
_WEIGHT_OF_ORGAN = 0.5
_WEIGHT_OF_LESIONS = 0.6
_WEIGHTS_OF_TUBES = {"artery": 0.3, "vein": 0.3, "ureter": 0.65}
# So much of what the second look has for kidney and lesions is added to what the first has, whose shares of next to
# nothing are no opinion.
_HARDLY = 1e-4
_TINY = 1e-12


def look_again(
    scores: np.ndarray, config: NetworkConfig, grid: Grid, network: Predictor, volume: Volume, tick: Tick
) -> list[FinePart]:
    """Scores on the finer grid of `network` around every kidney that scores (C, z, y, x; logarithms of probabilities)
    on `grid` show: what these have for the classes of `network` together is shared out anew (`shared_anew`) with what
    this says; `scores` too, in place, with the means of what it says. Of windows that overlap the first one counts."""
    parts = []
    windows = _windows(scores, config, grid, network.config)
    known = [np.exp(np.minimum(scores[(slice(None), *window)], 0, dtype=np.float32)) for window in windows]
    seen = scores[0] < UNSEEN / 2
    todo = seen.copy()
    for index, (window, first) in enumerate(zip(windows, known, strict=True)):
        part = FinePart.over(grid, window, network.config.spacing_mm[0])
        found = _second(network, network_input(volume, part.grid, network.config), tick, index, len(windows))
        part.scores, coarse = _anew(first, config, part, found, network.config.classes)
        part.hide(~seen[window])
        scores[(slice(None), *window)] = np.where(todo[window], coarse, scores[(slice(None), *window)])
        todo[window] = False
        parts.append(part)
    return parts


def _anew(
    first: np.ndarray, config: NetworkConfig, part: FinePart, second: np.ndarray, classes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (C, z, y, x; float16) of a part, and those (C, z, y, x; float32) of its window: the probabilities of the
    `first` look there with `classes` shared out anew. Some planes at a time, as float32 of all would need much
    memory."""
    rows = [config.classes.index(name) for name in classes]
    fine, coarse = np.empty((len(first), *part.grid.size), np.float16), np.empty_like(first)

    def fill(start: int) -> None:
        window = slice(start, min(start + _PLANES, first.shape[1]))
        planes = slice(window.start * part.step, window.stop * part.step)
        fine[:, planes] = _scores_anew(part.interpolated(first, planes), second[:, planes], rows, classes)
        means = part.block_means(second[:, planes])
        coarse[:, window] = _scores_anew(first[:, window].copy(), means, rows, classes)

    side_by_side(fill, range(0, first.shape[1], _PLANES))
    return fine, coarse


def _scores_anew(first: np.ndarray, second: np.ndarray, rows: list[int], classes: tuple[str, ...]) -> np.ndarray:
    """Scores (C, z, y, x) of probabilities of the first look, in their memory, of which `rows` are shared out anew."""
    first[rows] = shared_anew(first[rows], second, classes)
    return np.log(np.maximum(first, SMALLEST, out=first), out=first)


def shared_anew(first: np.ndarray, second: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Probabilities (C, y, x) of `classes`, of which `first` has a sum of its own and `second` the sum 1: as much as
    `first` has together. Of this tubes have the weighted mean of both shares. Of the rest the organ, kidney with its
    lesions, has what both have for it beside the background, weighted; and each of its classes the weighted mean of
    both shares of the organ, where the second look counts the less the less it is sure of an organ."""
    organ = np.array([name in ORGAN for name in classes])
    total, sure = first.sum(0), second[organ].sum(0)
    anew = np.zeros_like(first)
    for index, name in enumerate(classes):
        if name in _WEIGHTS_OF_TUBES:
            anew[index] = _mean(first[index], total * second[index], _WEIGHTS_OF_TUBES[name])
    left = total - anew.sum(0)
    inside = _mean(first[organ].sum(0), total * sure, _WEIGHT_OF_ORGAN)
    outside = _mean(first[0], total * second[0], _WEIGHT_OF_ORGAN)
    left /= np.maximum(inside + outside, _TINY)
    anew[0] = left * outside
    parts = first[organ] + _HARDLY * second[organ]
    parts /= np.maximum(parts.sum(0), _TINY)
    anew[organ] = left * inside * ((1 - _WEIGHT_OF_LESIONS * sure) * parts + _WEIGHT_OF_LESIONS * second[organ])
    return np.maximum(anew, SMALLEST)


def _mean(first: np.ndarray, second: np.ndarray, weight: float) -> np.ndarray:
    return (1 - weight) * first + weight * second


def divides(fine: NetworkConfig, coarse: NetworkConfig) -> bool:
    """Whether every voxel of the coarse network's grid is whole voxels, as many along each axis, of the fine one's."""
    steps = np.divide(coarse.spacing_mm, fine.spacing_mm)
    is_whole = np.allclose(steps, steps.round()[0], rtol=1e-6) and steps[0] > 0.5
    return bool(is_whole) and not any((*coarse.resize, *fine.resize))


def second_look_seconds(network: Predictor) -> float:
    """How long the second look at two kidneys is expected to take."""
    return expected_seconds(network, round(_USUAL_MM3 / np.prod(network.config.spacing_mm)), PassPlan())


def _second(network: Predictor, hu: np.ndarray, tick: Tick, index: int, count: int) -> np.ndarray:
    """The network's maps of one of `count` windows; how long a single pass took is remembered."""
    start = time.perf_counter()
    found = network.maps(hu, tick=share_of(tick, index, count))
    if network.goes_in_one_pass(hu.size):
        note_seconds(network, hu.size, PassPlan(), time.perf_counter() - start)
    return found


def _windows(scores: np.ndarray, config: NetworkConfig, grid: Grid, fine: NetworkConfig) -> list[Window]:
    """Windows of the grid around the largest parts that were taken for kidneys with their lesions."""
    organ = np.isin(label_of_class(config)[winners(scores)], ORGAN_LABELS)
    parts = cc3d.connected_components(organ, connectivity=26)
    voxels = np.bincount(parts[organ])
    least = MIN_KIDNEY_ML * 1000 / float(np.prod(grid.spacing))
    largest = [part for part in np.argsort(voxels)[::-1][:_MOST_PARTS] if voxels[part] >= least]
    margin = (_MARGIN_MM,) * 3
    multiple = max(1, round(fine.stride * fine.spacing_mm[0] / grid.spacing[0]))
    return [grid.window(grid.box_of(parts == part).grown(margin, margin), multiple) for part in largest]
