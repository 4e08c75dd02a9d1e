"""How unsure a network is, voxel by voxel, from the maps of its one pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

# Below this a probability is 0 for the entropy; a background surer than 1 minus this costs nothing.
_NOTHING = 1e-6
_SLAB = 8
# On a surface that the boundary decoder is sure of, half the entropy is taken as partial volume.
_EXPLAINED = 0.5


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Normalised entropy (z, y, x) float32, 0 where sure to 1 where all classes are alike, of maps (C, z, y, x).

    Softmax maps, background first, float32 or float16: -sum p log p / log C; 0 where the background is above 1 - 1e-6
    and where nothing was predicted (all maps 0). Two maps are taken for nested ones of sigmoids, (kidney or tumor) and
    (tumor): the sum of both binary entropies divided by its largest value, 2 log 2. For a softmax of two classes that
    is the same as the formula above.
    """
    result = np.zeros(probabilities.shape[1:], np.float32)
    for slab in _slabs(len(result)):
        maps = probabilities[:, slab].astype(np.float32, copy=False)
        result[slab] = _nested(maps) if len(maps) == 2 else _softmax(maps)
    return result


def uncertainty_of(probabilities: np.ndarray, labels: np.ndarray, boundary: np.ndarray | None = None) -> np.ndarray:
    """Uncertainty (z, y, x) float32, 0..1: entropy, corrected by what BA-Net's boundary decoder sees.

    `probabilities` as in `entropy`, `labels` (z, y, x) as predicted, `boundary` (z, y, x) the probability of any
    surface, 1 - p(no boundary); without it this is the entropy.

    Every surface has a rim of entropy, as its voxels hold some of both sides: that is no doubt about what is there. So
    beside a surface of `labels` (within the 26-neighbourhood) entropy is lowered, to half at most, as far as the
    boundary decoder confirms the surface; where it sees none there, the entropy stays. Away from the labels' surfaces a
    boundary contradicts them: two decoders of one network disagree, and the larger of entropy and boundary is taken.
    """
    result = entropy(probabilities)
    if boundary is None:
        return result
    for slab in _slabs(len(result)):
        seen = boundary[slab].astype(np.float32, copy=False)
        rim = result[slab] * (1 - _EXPLAINED * seen)
        result[slab] = np.where(_beside_surface(labels, slab), rim, np.maximum(result[slab], seen))
    return result


def _slabs(length: int) -> Iterator[slice]:
    return (slice(start, min(start + _SLAB, length)) for start in range(0, length, _SLAB))


def _softmax(maps: np.ndarray) -> np.ndarray:
    result = np.zeros(maps.shape[1:], np.float32)
    unsure = (maps[0] <= 1 - _NOTHING) & (maps[0] > 0)
    # Foreground may be sure of itself to the last digit of the background's probability.
    unsure |= (maps[0] == 0) & maps[1:].any(0)
    result[unsure] = sum(_minus_p_log_p(p[unsure]) for p in maps) / np.float32(np.log(len(maps)))
    return result


def _nested(maps: np.ndarray) -> np.ndarray:
    result = sum(_minus_p_log_p(p) + _minus_p_log_p(1 - p) for p in maps)
    return result / np.float32(2 * np.log(2))


def _minus_p_log_p(p: np.ndarray) -> np.ndarray:
    return -p * np.log(np.maximum(p, np.float32(_NOTHING)))


def _beside_surface(labels: np.ndarray, slab: slice) -> np.ndarray:
    """Where a voxel of a slab has a neighbour, of 26, with another label."""
    start = max(0, slab.start - 1)
    around = labels[start : slab.stop + 1]
    differs = ndimage.maximum_filter(around, 3) != ndimage.minimum_filter(around, 3)
    return differs[slab.start - start : slab.stop - start]
