"""Keeps what is plausible of predicted labels: kidneys where the locator saw them, lesions on kidneys, no specks."""

from __future__ import annotations

import cc3d
import numpy as np

from ..anatomy import structure

_KIDNEY = structure("kidney").label
_LESIONS = tuple(structure(name).label for name in ("tumor", "cyst"))
_ORGAN = (_KIDNEY, *_LESIONS)
MIN_KIDNEY_ML = 5.0
# Smallest component that is kept of each structure.
MIN_ML = {"tumor": 0.3, "cyst": 0.3, "artery": 0.3, "vein": 0.5, "ureter": 0.1}


def keep_plausible(labels: np.ndarray, voxel_ml: float) -> np.ndarray:
    """The labels (z, y, x) without implausible components.

    Of kidney with its lesions, at most the two largest components of at least 5 ml stay (a lesion apart from them is
    dropped); of the other structures, components that reach `MIN_ML`.
    """
    kept = labels.copy()
    organ = _largest(np.isin(labels, _ORGAN), MIN_KIDNEY_ML / voxel_ml, most=2)
    kept[np.isin(labels, _ORGAN) & ~organ] = 0
    for name, ml in MIN_ML.items():
        label = structure(name).label
        mask = kept == label
        specks = mask & ~_largest(mask, ml / voxel_ml)
        # A speck of lesion inside a kidney is kidney; any other speck is nothing.
        kept[specks] = _KIDNEY if label in _LESIONS else 0
    return kept


def _largest(mask: np.ndarray, min_voxels: float, most: int | None = None) -> np.ndarray:
    """The components (26-neighbourhood) of at least `min_voxels`, at most the `most` largest."""
    parts, count = cc3d.connected_components(mask, connectivity=26, return_N=True)
    if count == 0:
        return mask
    voxels = np.bincount(parts.ravel())
    voxels[0] = 0
    order = np.argsort(voxels)[::-1][:most]
    chosen = np.zeros(len(voxels), bool)
    chosen[order] = voxels[order] >= max(min_voxels, 1)
    return chosen[parts]
