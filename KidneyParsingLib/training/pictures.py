"""Pictures of a prediction beside the truth, for the training log."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..anatomy import STRUCTURES
from ..networks.configs import NetworkConfig

# Classes that are no structure of ours: the locator's spine, liver, spleen.
_OTHER = (200, 200, 200)
_COLORS = {entry.name: entry.color for entry in STRUCTURES}


def side_by_side(hu: np.ndarray, labels: tuple[np.ndarray, ...], config: NetworkConfig) -> np.ndarray:
    """One axial slice of HU (z, y, x), grey, once for every label map (z, y, x), whose classes are outlined on it.

    Returns (y, x * maps, 3) uint8, the patient's right on the left, as read in radiology. The slice goes through the
    middle of the largest structure of the first map.
    """
    z = _middle_slice(labels[0])
    return np.concatenate([_outlined(hu[z], one[z], config) for one in labels], axis=1)


def _middle_slice(labels: np.ndarray) -> int:
    """The slice of the median voxel of the largest class but background; the middle one if all is background."""
    voxels = np.bincount(labels.ravel())[1:]
    if not voxels.any():
        return len(labels) // 2
    per_slice = (labels == voxels.argmax() + 1).sum((1, 2)).cumsum()
    return int(np.searchsorted(per_slice, (per_slice[-1] + 1) // 2))


def _outlined(hu: np.ndarray, labels: np.ndarray, config: NetworkConfig) -> np.ndarray:
    low, high = config.clip_hu
    grey = ((hu.astype(np.float32).clip(low, high) - low) * (255 / (high - low))).astype(np.uint8)
    picture = np.repeat(grey[..., None], 3, axis=-1)
    for index, name in enumerate(config.classes[1:], 1):
        mask = labels == index
        picture[mask & ~ndimage.binary_erosion(mask)] = _COLORS.get(name, _OTHER)
    return picture
