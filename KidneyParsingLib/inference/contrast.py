"""Whether a scan shows contrast medium in what was found, and what that means for lesions.

Without contrast a tumor has the brightness of the kidney, so a network calls kidneys tumor on little evidence.
"""

from __future__ import annotations

import numpy as np

from ..anatomy import LESION_LABELS, ORGAN_LABELS, VESSEL_LABELS, structure
from ..volumes.overview import MOST_PLAIN_HU
from ..volumes.volume import Volume
from .cleanup import MIN_KIDNEY_ML
from .grid import Grid

_KIDNEY = structure("kidney").label
# Cortex, which in early phases alone is bright; as `volumes.overview` takes it.
_CORTEX_PERCENTILE = 85
# What lesions lose in score, a logarithm of probability: chosen on made and real CT (docs/experiments.md, 20).
_PRICE_OF_LESIONS = 3.0
# A percentile of so many voxels is exact enough.
_SAMPLES = 5000


def is_plain(labels: np.ndarray, grid: Grid, volume: Volume) -> bool:
    """Whether a CT shows no contrast medium: kidneys and vessels are all as dark as without.

    `labels` (z, y, x) are structures on a grid; what has less than 5 ml does not count. Where hardly any kidney was
    found its lesions stand for it: a network may take all of it for tumor. Without vessels the kidney's cortex decides;
    without anything nobody knows: False.
    """
    least = MIN_KIDNEY_ML * 1000 / float(np.prod(grid.spacing))
    kidneys = [mask for mask in (labels == _KIDNEY, np.isin(labels, ORGAN_LABELS)) if mask.sum() >= least][:1]
    vessels = [mask for mask in (labels == label for label in VESSEL_LABELS) if mask.sum() >= least]
    if not kidneys:
        return False
    share = 50 if vessels else _CORTEX_PERCENTILE
    brightness = [np.percentile(hu_under(mask, grid, volume), share) for mask in (*kidneys, *vessels)]
    return bool(max(brightness) < MOST_PLAIN_HU)


def disfavour_lesions(scores: np.ndarray, label_of_class: np.ndarray) -> None:
    """Lowers scores (C, z, y, x) of tumor and cyst, in place: only what the network is sure of stays a lesion."""
    scores[np.isin(label_of_class, LESION_LABELS)] -= scores.dtype.type(_PRICE_OF_LESIONS)


def hu_under(mask: np.ndarray, grid: Grid, volume: Volume) -> np.ndarray:
    """HU of the CT's voxels nearest to evenly chosen voxels of a mask (z, y, x) on a grid."""
    chosen = np.flatnonzero(mask)
    chosen = chosen[:: max(1, len(chosen) // _SAMPLES)]
    index = np.stack((*np.unravel_index(chosen, mask.shape)[::-1], np.ones(len(chosen))))
    places = (np.linalg.inv(volume.affine) @ grid.affine @ index)[:3][::-1]
    limits = np.array(volume.array.shape)[:, None] - 1
    z, y, x = np.clip(np.rint(places).astype(int), 0, limits)
    return volume.array[z, y, x]
