"""TuNet's post-processing of probability maps (arXiv 1910.07521, algorithm 1): thresholds with hysteresis."""

from __future__ import annotations

import cc3d
import numpy as np

from .maps import forced

_HIGH = 0.5
_EMPTY = 0.1
_WHOLE_LOW = 0.4
_TUMOR_LOW = 0.3
_SMALL_TUMOR_LOW = 0.2
_SMALL_TUMOR_VOXELS = 100


def grown(probability: np.ndarray, high: float, low: float) -> np.ndarray:
    """The paper's "refine": the components of `probability` > `low` that hold a voxel above `high`
    (26-neighbourhood)."""
    parts = cc3d.connected_components(probability > low, connectivity=26)
    kept = np.zeros(int(parts.max()) + 1, bool)
    kept[parts[probability > high]] = True
    kept[0] = False
    return kept[parts]


def refined_whole(probability: np.ndarray) -> np.ndarray:
    """Mask of kidney and tumor: grown from 0.5 down to 0.4, or all above 0.1 where nothing reaches 0.5."""
    if not (probability > _HIGH).any():
        return probability > _EMPTY
    return grown(probability, _HIGH, _WHOLE_LOW)


def refined_tumor(probability: np.ndarray, whole: np.ndarray, certain: bool = True) -> np.ndarray:
    """Mask of the tumor: grown from 0.5 down to 0.3 (to 0.2 where fewer than 100 voxels reach 0.5).

    Where nothing reaches 0.5: all above 0.1. Where even that is empty: with `certain`, as in the paper, the `whole`
    mask, as every patient of KiTS19 has a tumor; else nothing. (The paper then grows from 0.5, which is empty: left
    out.)
    """
    count = int((probability > _HIGH).sum())
    if count == 0:
        mask = probability > _EMPTY
        return whole.copy() if certain and not mask.any() else mask
    return grown(probability, _HIGH, _SMALL_TUMOR_LOW if count < _SMALL_TUMOR_VOXELS else _TUMOR_LOW)


def finished(maps: np.ndarray, gate: np.ndarray | None, growing: bool, certain: bool = True) -> np.ndarray:
    """TuNet's last steps on nested maps (2, z, y, x): algorithm 1 if `growing`, then times L-Net's mask `gate` (z, y,
    x).

    Other systems' maps, without either, come back as they are.
    """
    if growing:
        masks = refined(maps, certain)
        return forced(maps, masks if gate is None else masks & gate)
    return maps if gate is None else maps * gate


def refined(maps: np.ndarray, certain: bool = True) -> np.ndarray:
    """Masks (2, z, y, x) bool of whole and tumor from their maps; tumor outside the whole is dropped as they are
    merged."""
    whole = refined_whole(maps[0])
    return np.stack([whole, refined_tumor(maps[1], whole, certain) & whole])
