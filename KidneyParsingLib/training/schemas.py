"""Training schemas of the published systems: where patches are drawn, and the maps that a loss needs beside the labels.

Nothing here depends on the scan's spacing; distances are in voxels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
from scipy import ndimage

from ..networks.configs import KITS_CLASSES

Extras = Callable[[np.ndarray, np.random.Generator], dict[str, torch.Tensor]]

# Kid-Net's random sampling: share of voxels kept without foreground; radii of the two bands; the share from the outer.
_KEPT_SHARE = 0.01
_BAND = (2, 4)
_BAND_SHARE = 0.2
# Without blur edges are two voxels thick; with more, or higher thresholds, those of small shapes have holes.
_CANNY = {"variance": [0.5] * 3, "maximumError": [0.01] * 3, "lowerThreshold": 0.1, "upperThreshold": 0.2}
_CANNY_MARGIN = 3


@dataclass(frozen=True)
class Schema:
    """What patches are centred on, with probabilities that sum to 1, and the extra maps of a sample.

    A centre is a class's name, "foreground", "background", "any" (uniform in the scan) or "<class> centerline".
    `extras` makes the maps from a patch's labels (D, H, W) int64 and the sample's random generator.
    """

    centers: tuple[tuple[str, float], ...]
    extras: Extras | None = None


def random_background(labels: np.ndarray, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """Kid-Net's random background sampling (arXiv 1806.06769, section 2): {"keep": (D, H, W) float32, 1 where a voxel
    counts}, of labels (D, H, W) int64.

    Foreground is kept, with as many background voxels: 20% from 2 to 4 voxels off the foreground (the band's inner
    border excluded), 80% from beyond. Where there are too few, all are kept. Of a patch without foreground 1% of the
    voxels is kept. The paper's dilation is "circular"; ours is a ball.
    """
    foreground = labels > 0
    keep = foreground.astype(np.float32)
    count = int(foreground.sum())
    if count == 0:
        _keep_some(keep, np.ones_like(foreground), round(_KEPT_SHARE * labels.size), rng)
    else:
        distance = ndimage.distance_transform_edt(~foreground)
        in_band = round(_BAND_SHARE * count)
        _keep_some(keep, (distance > _BAND[0]) & (distance <= _BAND[1]), in_band, rng)
        _keep_some(keep, distance > _BAND[1], count - in_band, rng)
    return {"keep": torch.from_numpy(keep)}


def _keep_some(keep: np.ndarray, region: np.ndarray, count: int, rng: np.random.Generator) -> None:
    """Sets `count` voxels of `region` drawn at random, or all if there are fewer, to 1 in `keep`."""
    voxels = np.flatnonzero(region)
    keep.flat[rng.choice(voxels, min(count, len(voxels)), replace=False, shuffle=False)] = 1


def canny_edges(labels: np.ndarray, rng: np.random.Generator | None = None) -> dict[str, torch.Tensor]:
    """SC-UNet's edges (section 2.1): {"kidney_edge", "tumor_edge"}, (D, H, W) int64 0 or 1, by Canny on the labels.

    `labels` (D, H, W) int64 of KITS_CLASSES; nothing is drawn from `rng`. "Edge of kidney label": we take the label as
    KiTS stores it, kidney without tumor; where they meet is an edge of both. Paper silent on dimensions and
    thresholds; we run it in 3D on the mask. A mask cut off by the patch has no edge there.
    """
    masks = {name: labels == KITS_CLASSES.index(name) for name in ("kidney", "tumor")}
    return {f"{name}_edge": torch.from_numpy(_mask_edge(mask)) for name, mask in masks.items()}


def _mask_edge(mask: np.ndarray) -> np.ndarray:
    """Canny edge (int64 0 or 1) of a mask, computed in its bounding box and a margin to save time."""
    edge = np.zeros(mask.shape, np.int64)
    boxes = ndimage.find_objects(mask.astype(np.uint8))
    if boxes:
        box = tuple(slice(max(0, s.start - _CANNY_MARGIN), s.stop + _CANNY_MARGIN) for s in boxes[0])
        image = sitk.GetImageFromArray(mask[box].astype(np.float32))
        edge[box] = sitk.GetArrayFromImage(sitk.CannyEdgeDetection(image, **_CANNY)) > 0
    return edge


# nnU-Net's: a third of the patches shows foreground for certain.
_NNUNET_CENTERS = (("any", 2 / 3), ("foreground", 1 / 3))
# "Uniformly sliced from CT-scans random points at background, collecting system, artery and vein centerlines."
_KID_NET_CENTERS = tuple(
    (name, 0.25) for name in ("background", "ureter centerline", "artery centerline", "vein centerline")
)
# By model; also the one that a paper compares its own with.
SCHEMAS: dict[str, Schema] = {
    "ba_net": Schema(_NNUNET_CENTERS),
    "plain_unet": Schema(_NNUNET_CENTERS),
    "res_unet": Schema(_NNUNET_CENTERS),
    "l_net": Schema(_NNUNET_CENTERS),
    "second_look": Schema((("tumor", 0.3), ("cyst", 0.2), ("ureter", 0.2), ("foreground", 0.3))),
    # For whole scans in place of KiPA22's, which are cut out around a kidney: patches that always show structures.
    "kidneys": Schema((("foreground", 1.0),)),
    "boundary_stream": Schema((("tumor", 0.8), ("foreground", 0.1), ("background", 0.1))),
    # Random crops, the fine network's from kidney ROIs. The rough one's patches are whole slices.
    "sc_unet": Schema((("foreground", 1.0),), canny_edges),
    "sc_unet_rough": Schema(_NNUNET_CENTERS, canny_edges),
    "kid_net": Schema(_KID_NET_CENTERS, random_background),
    # The paper's comparison: dynamic weighting without random sampling.
    "kid_net_dw": Schema(_KID_NET_CENTERS),
    # Overlapping patches of the whole scan (section 3.3), drawn at random.
    "tu_net_paper": Schema((("any", 1.0),)),
    # Its loss learns nothing of a structure that a patch lacks, so in
    # patches smaller than the paper's, which mostly lack the tumor, we look for it.
    "tu_net": Schema((("tumor", 1 / 3), ("foreground", 1 / 3), ("any", 1 / 3))),
}
