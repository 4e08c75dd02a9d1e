"""Lesions told by a patient's own kidney: what is darker than its parenchyma.

A network that has seen few lesions calls many of them kidney that are plainly darker; how bright kidneys are differs so
much between phases that a network needs many samples to learn what this kidney tells by itself.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..volumes.overview import MOST_PLAIN_HU

# Voxels that are kidney by at least so much tell what parenchyma is like; of fewer than so many mm3 it is not known.
_SURE = 0.8
_LEAST_MM3 = 4000.0
# The spread of smooth parenchyma is the noise's; less than this counts as this, HU.
_LEAST_SPREAD_HU = 10.0
# Log odds for each spread that a place is darker than parenchyma, from the first on, up to so many; chosen on the
# validation split and real scans (docs/experiments.md, 29).
_LOG_ODDS, _FROM, _UP_TO = 0.5, 1.0, 4.0
# The standard deviation of normal values is so many times their median deviation from the median.
_OF_MEDIAN_DEVIATION = 1.4826


def lesion_log_odds(hu: np.ndarray, kidney: np.ndarray, voxel_mm3: float) -> np.ndarray:
    """By how much a lesion is likelier than kidney, as log odds (z, y, x; float32, 0 or more), by the HU of a window on
    a network's grid and the probability of kidney there.

    Nothing where the kidney shows no contrast medium, where lesions are as bright as it is. What is a voxel thin, such
    as a kidney's rim that shares its voxels with fat, counts as bright as what is beside it.
    """
    sure = hu[kidney >= _SURE]
    if sure.size * voxel_mm3 < _LEAST_MM3:
        return np.zeros(hu.shape, np.float32)
    level = np.median(sure)
    if level < MOST_PLAIN_HU:
        return np.zeros(hu.shape, np.float32)
    spread = max(_LEAST_SPREAD_HU, _OF_MEDIAN_DEVIATION * float(np.median(np.abs(sure - level))))
    return (_LOG_ODDS * np.clip((level - _closed(hu)) / spread - _FROM, 0, _UP_TO)).astype(np.float32)


def _closed(hu: np.ndarray) -> np.ndarray:
    """Grey closing by 3 x 3 x 3 voxels."""
    bright = F.max_pool3d(torch.from_numpy(hu)[None], 3, 1, 1)
    return -F.max_pool3d(-bright, 3, 1, 1)[0].numpy()
