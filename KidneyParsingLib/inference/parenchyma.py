"""Lesions told by a patient's own kidney: what is darker than its parenchyma.

A network that has seen few lesions calls many of them kidney that are plainly darker; how bright kidneys are differs so
much between phases that a network needs many samples to learn what this kidney tells by itself.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..volumes.overview import MOST_PLAIN_HU

# Voxels that are kidney by at least so much tell what parenchyma is like; of fewer than so many mm3 it is not known.
_SURE = 0.8
_LEAST_MM3 = 4000.0
# How much darker than the median so many percent are is the spread: of noise its standard deviation, of early phases
# how much darker the medulla is.
_PERCENTILE = 16
_LEAST_SPREAD_HU = 10.0
# Log odds for each spread that a place is darker than parenchyma, from the first on, up to so many; chosen on the
# validation split and real scans (docs/experiments.md, 29).
_LOG_ODDS, _FROM, _UP_TO = 0.5, 1.0, 4.0
# Fat beside a kidney and in its sinus makes no lesion of the voxels that it shares with them.
_FAT_HU = -20.0
_RADIUS = 1


def lesion_log_odds(hu: np.ndarray, kidney: np.ndarray, voxel_mm3: float) -> np.ndarray:
    """By how much a lesion is likelier than kidney, as log odds (z, y, x; float32, 0 or more), by the HU of a window on
    a network's grid and the probability of kidney there.

    Nothing where the kidney shows no contrast medium, where lesions are as bright as it is. What is up to two voxels
    thin between parenchyma or fat, such as a kidney's rim, counts as bright as what is beside it.
    """
    sure = hu[kidney >= _SURE]
    level = float(np.median(sure)) if sure.size else 0.0
    if sure.size * voxel_mm3 < _LEAST_MM3 or level < MOST_PLAIN_HU:
        return np.zeros(hu.shape, np.float32)
    spread = max(_LEAST_SPREAD_HU, level - float(np.percentile(sure, _PERCENTILE)))
    brightness = _closed(np.where(hu < _FAT_HU, level, hu))
    return (_LOG_ODDS * np.clip((level - brightness) / spread - _FROM, 0, _UP_TO)).astype(np.float32)


def _closed(hu: np.ndarray) -> np.ndarray:
    """Grey closing by a cube."""
    image = sitk.GetImageFromArray(hu.astype(np.float32, copy=False))
    return sitk.GetArrayFromImage(sitk.GrayscaleMorphologicalClosing(image, [_RADIUS] * 3, sitk.sitkBox))
