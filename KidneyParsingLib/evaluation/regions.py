"""Where metrics are taken: the whole scan, or one of Kid-Net's two regions, and which predicted islands count there.

Kid-Net (Taha et al., arXiv 1806.06769, section 3) scores vessels in two regions, as Dice in the whole tree mostly
measures aorta and vena cava: the *whole ROI*, the slices of the truth, and the *kidney bounding box*, for the fine
vessels at the kidney. Its truth lacks vessels, so of the prediction it counts only islands that overlap islands of the
truth.
"""

from __future__ import annotations

import cc3d
import numpy as np

from ..anatomy import ORGAN_LABELS, STRUCTURES
from ..errors import InputError
from .pairs import bounding_window

# A piece of kidney smaller than this share of the largest one has no box of its own.
_LEAST_SHARE = 0.1


def restricted(
    predicted: np.ndarray, truth: np.ndarray, region: str = "scan", known_islands: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Both maps of structure labels (z, y, x) with background outside a region of `catalog.REGIONS`.

    "scan" leaves all as it is, "roi" is `whole_roi`, "kidneys" is `kidney_boxes`. With `known_islands` the prediction
    is then cut down by `overlapping_islands`, structure by structure. A structure that the region cuts has a surface at
    the cut. Raises InputError if the region needs kidneys that the truth does not have.
    """
    if region != "scan":
        inside = (whole_roi if region == "roi" else kidney_boxes)(truth)
        predicted, truth = predicted * inside, truth * inside
    return (_with_known_islands(predicted, truth) if known_islands else predicted), truth


def whole_roi(truth: np.ndarray) -> np.ndarray:
    """True (z, y, x) in all slices from the first to the last with any structure of the truth (Kid-Net, figure 3)."""
    inside = np.zeros(truth.shape, bool)
    inside[bounding_window(truth > 0)[0]] = True
    return inside


def kidney_boxes(truth: np.ndarray) -> np.ndarray:
    """True (z, y, x) in the bounding boxes of the truth's kidneys with their lesions (Kid-Net, figure 3).

    The paper is silent on two kidneys; we take a box round each, as one round both holds aorta and vena cava, which the
    region is to leave out. Raises InputError if the truth has no kidney.
    """
    parts = cc3d.connected_components(np.isin(truth, ORGAN_LABELS), connectivity=26)
    voxels = np.bincount(parts.ravel())[1:]
    if not voxels.size:
        raise InputError("The reference has no kidney to take a region around; choose another region.")
    inside = np.zeros(truth.shape, bool)
    for part in np.flatnonzero(voxels >= _LEAST_SHARE * voxels.max()) + 1:
        inside[bounding_window(parts == part)] = True
    return inside


def overlapping_islands(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The connected components (26 neighbours) of the predicted mask that share a voxel with the truth's (Kid-Net)."""
    parts = cc3d.connected_components(predicted, connectivity=26)
    known = np.zeros(int(parts.max()) + 1, bool)
    known[parts[truth]] = True
    known[0] = False
    return known[parts]


def _with_known_islands(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    kept = np.zeros_like(predicted)
    for entry in STRUCTURES:
        kept[overlapping_islands(predicted == entry.label, truth == entry.label)] = entry.label
    return kept
