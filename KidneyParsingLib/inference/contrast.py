"""Whether a scan shows contrast medium in what was found, and what that means for lesions.

Without contrast a tumor has the brightness of the kidney, so a network calls kidneys tumor on little evidence.
"""

from __future__ import annotations

import numpy as np

from ..anatomy import structure
from ..volumes.volume import Volume
from .grid import Grid

_KIDNEY, _ARTERY = structure("kidney").label, structure("artery").label
_LESIONS = tuple(structure(name).label for name in ("tumor", "cyst"))
# Plain parenchyma has 26-42 HU and blood 35-50; with contrast one of them has more in every phase (docs/appearance.md).
_MOST_PLAIN_HU = {_KIDNEY: 60.0, _ARTERY: 80.0}
# What lesions lose in score, a logarithm of probability: chosen on made and real CT (docs/experiments.md, 20).
_PRICE_OF_LESIONS = 3.0
# A median of so many voxels is exact enough.
_SAMPLES = 5000


def is_plain(labels: np.ndarray, grid: Grid, volume: Volume) -> bool:
    """Whether a CT shows no contrast medium: kidney and, where they were found, arteries are both as bright as without.

    `labels` (z, y, x) are structures on a grid. Where no kidney was found nobody knows: False.
    """
    if not (labels == _KIDNEY).any():
        return False
    found = [(labels == label, most) for label, most in _MOST_PLAIN_HU.items()]
    return all(np.median(hu_under(mask, grid, volume)) <= most for mask, most in found if mask.any())


def disfavour_lesions(scores: np.ndarray, label_of_class: np.ndarray) -> None:
    """Lowers scores (C, z, y, x) of tumor and cyst, in place: only what the network is sure of stays a lesion."""
    scores[np.isin(label_of_class, _LESIONS)] -= scores.dtype.type(_PRICE_OF_LESIONS)


def hu_under(mask: np.ndarray, grid: Grid, volume: Volume) -> np.ndarray:
    """HU of the CT's voxels nearest to evenly chosen voxels of a mask (z, y, x) on a grid."""
    chosen = np.flatnonzero(mask)
    chosen = chosen[:: max(1, len(chosen) // _SAMPLES)]
    index = np.stack(np.unravel_index(chosen, mask.shape)[::-1] + (np.ones(len(chosen)),))
    places = (np.linalg.inv(volume.affine) @ grid.affine @ index)[:3][::-1]
    limits = np.array(volume.array.shape)[:, None] - 1
    z, y, x = np.clip(np.rint(places).astype(int), 0, limits)
    return volume.array[z, y, x]
