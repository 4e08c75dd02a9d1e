"""Keeps what is plausible of a prediction: whole kidneys with their lesions, vessels that belong to them, no specks.

First on the network's grid (`implausible`, by distances in mm), then on the CT's grid (`keep_plausible`, by
volumes), as interpolation can part what hung together.
"""

from __future__ import annotations

from collections.abc import Sequence

import cc3d
import numpy as np

from ..anatomy import LESION_LABELS, ORGAN_LABELS, VESSEL_LABELS, structure
from .grid import Box, Grid
from .locate import MIN_KIDNEY_HU, Midline, right_of_midline
from .neighbourhood import distance, touching, within

_KIDNEY = structure("kidney").label
MIN_KIDNEY_ML = 5.0
# Smallest component that is kept of each structure.
MIN_ML = {"tumor": 0.5, "cyst": 0.5, "artery": 0.3, "vein": 0.5, "ureter": 0.1}
# A kidney that nothing else confirms has at least this volume.
_LIKELY_KIDNEY_ML = 20.0
# What hangs on a kidney by a bridge thinner than twice this is not kidney (bowel with contrast, spleen). Chosen on real
# CT and on real kidneys' shapes (docs/experiments.md, 18).
_BRIDGE_MM = 6.5
# It is clearly thicker than the bridge, too: lips and poles of a kidney hang on it by little less than they are thick
# (docs/experiments.md, 27).
_THICKER_MM = 2.0
# What is cut off reaches this much further around its core than the bridge's half.
_REGROWTH_MM = 4.0
# Pieces of one kidney lie no further from each other.
_PIECE_GAP_MM = 20.0
# A part with this share of the largest one's kidney is as good.
_AS_GOOD = 0.5
# Renal vessels and ureters may be broken in a prediction, but no further than this from what they belong to.
_GAP_MM = 12.0
# Between waves of urine a ureter is empty and hardly seen.
_URETER_GAP_MM = 24.0
# The rim of a liver or spleen whose inside the locator knows: thin, so far along it and so far from anything thick; but
# what lies so near to urine may be the thin wall of a dilated kidney.
_RIM_MM = 16.0
_RIM_FROM_THICK_MM = 12.0
_RIM_FROM_URINE_MM = 10.0
# Room around what was found, for the distances above.
_ROOM_MM = 30.0
# What kidneys lose in score, a logarithm of probability, where the locator is sure of another organ: chosen on the
# synthetic split (docs/experiments.md, 18).
_PRICE_OF_OTHERS = 4.0
_URETER = structure("ureter").label


def implausible(
    labels: np.ndarray, has_kidney: bool, grid: Grid, midline: Midline, kidney_boxes: Sequence[Box] = (),
    others: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Mask (z, y, x) of implausible parts of structure labels (z, y, x) on a grid.

    Such are: what is not one kidney a side, or hangs on it by a thin bridge only, or is the rim of what is surely
    another organ (`others`, z, y, x; bool); vessels far from kidneys and great vessels; ureters far from kidneys. A
    network without kidney (`has_kidney` False) is judged by the boxes around the kidneys.
    """
    mask = np.zeros(labels.shape, bool)
    found = labels > 0
    if not found.any():
        return mask
    window = grid.window(grid.box_of(found).grown((_ROOM_MM,) * 3, (_ROOM_MM,) * 3))
    surely = np.zeros_like(mask) if others is None else others
    mask[window] = _implausible(labels[window], has_kidney, grid.part(window), midline, kidney_boxes, surely[window])
    return mask


def suppress(scores: np.ndarray, mask: np.ndarray) -> None:
    """Lets the background win in scores (C, z, y, x) where `mask` (z, y, x), in place."""
    scores[0][mask] = scores[:, mask].max(0) + 1.0


def _implausible(
    labels: np.ndarray, has_kidney: bool, grid: Grid, midline: Midline, kidney_boxes: Sequence[Box], others: np.ndarray
) -> np.ndarray:
    organ = np.isin(labels, ORGAN_LABELS)
    kidneys = _one_a_side(organ, labels == _KIDNEY, grid, midline) if has_kidney else _in_boxes(kidney_boxes, grid)
    if has_kidney:
        kidneys &= ~_rims(kidneys, others, labels == _URETER, grid)
    mask = organ & ~kidneys
    near_kidney = within(kidneys, _GAP_MM, grid)
    for label in VESSEL_LABELS:
        vessel = labels == label
        trunk = _largest(vessel, 1, most=1)
        branches = vessel & ~trunk
        mask |= branches & ~touching(branches, near_kidney | within(trunk, _GAP_MM, grid, branches))
    ureter = labels == _URETER
    return mask | ureter & ~touching(within(ureter, _URETER_GAP_MM / 2, grid), near_kidney)


def disfavour_other_organs(scores: np.ndarray, label_of_class: np.ndarray, others: np.ndarray) -> None:
    """Lowers scores (C, z, y, x) of kidney and lesions where the locator is sure of liver or spleen (`others`, z, y, x;
    bool), in place: a network that is surer of the kidney than the locator of them prevails."""
    organ = np.isin(label_of_class, ORGAN_LABELS)
    scores[organ] -= np.where(others, scores.dtype.type(_PRICE_OF_OTHERS), scores.dtype.type(0))


def _in_boxes(boxes: Sequence[Box], grid: Grid) -> np.ndarray:
    mask = np.zeros(grid.size, bool)
    for box in boxes:
        mask[grid.window(box)] = True
    return mask


def _one_a_side(organ: np.ndarray, kidney: np.ndarray, grid: Grid, midline: Midline) -> np.ndarray:
    """Of a mask of kidneys with lesions, on each side the part with the most kidney, and parts near it that have half
    as much (a kidney may be in two pieces), all without what hangs on them by a bridge.

    Where a part with a core is as large as a kidney, thin parts do not count: false sheets can be larger than it.
    """
    right = np.broadcast_to(right_of_midline(grid, midline), organ.shape)
    parts = cc3d.connected_components(organ, connectivity=26)
    core = organ & ~within(~organ, _BRIDGE_MM, grid, organ)
    solid = np.zeros(int(parts.max()) + 1, bool)
    solid[parts[core]] = True
    solid &= np.bincount(parts[kidney], minlength=len(solid)) * np.prod(grid.spacing) / 1000 >= _LIKELY_KIDNEY_ML
    good = _as_good_as_any(parts, kidney, right, solid)[parts]
    best = [np.bincount(parts[kidney & good & side], minlength=2).argmax() for side in (right, ~right)]
    near = within(good & np.isin(parts, best), _PIECE_GAP_MM, grid)
    kept = touching(good, near)
    return kept & ~_appendages(kept, core & kept, kidney, right, grid)


def _appendages(organ: np.ndarray, core: np.ndarray, kidney: np.ndarray, right: np.ndarray, grid: Grid) -> np.ndarray:
    """What hangs on something better by a bridge alone.

    Only what has a core of its own is cut off: thin parenchyma (hydronephrosis, around a cyst, at a pole) has none and
    stays. Cores with half as much kidney as the best of their side stay too (two poles), so do both kidneys where they
    hang together.
    """
    cores = cc3d.connected_components(core, connectivity=26)
    good = _as_good_as_any(cores, kidney, right)
    # A part without any good core of its own hangs on nothing.
    parts = cc3d.connected_components(organ, connectivity=26)
    hangs = np.zeros(int(parts.max()) + 1, bool)
    hangs[parts[good[cores]]] = True
    others = _thick((cores > 0) & ~good[cores] & hangs[parts], cores, organ, grid)
    cut = np.zeros_like(organ)
    if others.any():
        reach = _BRIDGE_MM + _REGROWTH_MM
        window = grid.window(grid.box_of(others).grown((2 * reach,) * 3, (2 * reach,) * 3))
        to_other, to_good = (distance(np.ascontiguousarray(mask[window]), grid) for mask in (others, good[cores]))
        cut[window] = (to_other <= reach) & (to_other < to_good)
    return cut


def _rims(kidneys: np.ndarray, others: np.ndarray, urine: np.ndarray, grid: Grid) -> np.ndarray:
    """Thin layers of a mask of kidneys along `others`, far from what is thick, and what hangs on them alone. A part
    that is thin everywhere stays."""
    core = kidneys & ~within(~kidneys, _BRIDGE_MM, grid, kidneys)
    thin = touching(kidneys, core) & ~within(core, _RIM_FROM_THICK_MM, grid, kidneys)
    rims = thin & within(others, _RIM_MM, grid, kidneys) & ~within(urine, _RIM_FROM_URINE_MM, grid, kidneys)
    left = kidneys & ~rims
    return rims | (left & touching(kidneys, core) & ~touching(left, core)) if rims.any() else rims


def _thick(others: np.ndarray, cores: np.ndarray, organ: np.ndarray, grid: Grid) -> np.ndarray:
    """Those of the cores `others` (z, y, x; numbered in `cores`) that lie clearly deeper in the organ than a bridge."""
    if not others.any():
        return others
    window = grid.window(grid.box_of(others).grown((2 * _BRIDGE_MM,) * 3, (2 * _BRIDGE_MM,) * 3))
    found = others[window]
    depth = distance(np.ascontiguousarray(~organ[window]), grid)[found]
    deepest = np.zeros(int(cores.max()) + 1)
    np.maximum.at(deepest, cores[window][found], depth)
    return others & (deepest >= _BRIDGE_MM + _THICKER_MM)[cores]


def _as_good_as_any(
    parts: np.ndarray, kidney: np.ndarray, right: np.ndarray, preferred: np.ndarray | None = None
) -> np.ndarray:
    """For each number in `parts` (z, y, x; 0: none) whether that part has at least half as much kidney as the best of
    the side on which it mostly lies; a part on both sides counts on each. On a side where any of the `preferred` (bool
    by number) lie, only these count.

    Spleen is mistaken for tumor more than for kidney, so tumor counts for nothing here.
    """
    count = int(parts.max()) + 1
    sides = np.stack([np.bincount(parts[kidney & side], minlength=count) for side in (right, ~right)])
    sides[:, 0] = 0
    for weights in sides:
        if preferred is not None and weights[preferred].any():
            weights[~preferred] = 0
    best = sides.max(1)[sides.argmax(0)]
    return sides.sum(0) >= np.maximum(_AS_GOOD * best, 1)


def keep_plausible(labels: np.ndarray, voxel_ml: float) -> np.ndarray:
    """The labels (z, y, x) without implausible components.

    Of kidney with its lesions, components of at least 5 ml stay (a smaller lesion apart from them is dropped); of the
    other structures, components that reach `MIN_ML`.
    """
    kept = labels.copy()
    organ = np.isin(labels, ORGAN_LABELS)
    kept[organ & ~_largest(organ, MIN_KIDNEY_ML / voxel_ml)] = 0
    found = np.flatnonzero(kept)  # most voxels are nothing
    part = cc3d.connected_components(kept, connectivity=26).ravel()[found]
    voxels = np.bincount(part)
    of_part = np.zeros(len(voxels), np.uint8)
    of_part[part] = kept.ravel()[found]
    for name, ml in MIN_ML.items():
        label = structure(name).label
        specks = (of_part == label) & (voxels < ml / voxel_ml)
        # A speck of lesion inside a kidney is kidney; any other speck is nothing.
        of_part[specks] = _KIDNEY if label in LESION_LABELS else 0
    kept.ravel()[found] = of_part[part]
    return kept


def unlikely_kidney(labels: np.ndarray, hu: np.ndarray, elsewhere: np.ndarray, voxel_ml: float) -> np.ndarray:
    """Mask (z, y, x) of kidney, lesions and ureter `elsewhere` (z, y, x; bool), the side on which no kidney was
    located, if they are too small or too dark for one or hardly any of them is kidney, else of nothing. What reaches
    over from the other side stays. `hu` (z, y, x) is the CT on the labels' grid."""
    organ = _mostly_within(np.isin(labels, ORGAN_LABELS), elsewhere)
    if _may_be_kidney(organ, labels == _KIDNEY, hu, voxel_ml):
        return np.zeros(labels.shape, bool)
    return organ | _mostly_within(labels == _URETER, elsewhere)


def without_unlikely_kidneys(labels: np.ndarray, hu: np.ndarray, voxel_ml: float) -> np.ndarray:
    """The labels (z, y, x), empty if what is called kidney is too small or too dark for one.

    For scans whose kidneys no locator has confirmed: a network that was trained around kidneys finds some in any water.
    """
    kidney = labels == _KIDNEY
    return labels if _may_be_kidney(kidney, kidney, hu, voxel_ml) else np.zeros_like(labels)


def _may_be_kidney(organ: np.ndarray, kidney: np.ndarray, hu: np.ndarray, voxel_ml: float) -> bool:
    parenchyma = organ & kidney
    # What is lesion but for a rim is bowel or spleen more often than the rest of a kidney.
    if organ.sum() * voxel_ml < _LIKELY_KIDNEY_ML or parenchyma.sum() * voxel_ml < MIN_KIDNEY_ML:
        return False
    return bool(np.median(hu[parenchyma]) >= MIN_KIDNEY_HU)


def _mostly_within(mask: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The components (26-neighbourhood) of a mask of which more than half lies in `where`."""
    parts = cc3d.connected_components(mask, connectivity=26)
    count = int(parts.max()) + 1
    inside = np.bincount(parts[where & mask], minlength=count)
    chosen = 2 * inside > np.bincount(parts.ravel(), minlength=count)
    chosen[0] = False
    return chosen[parts]


def _largest(mask: np.ndarray, min_voxels: float, most: int | None = None) -> np.ndarray:
    """The components (26-neighbourhood) of at least `min_voxels`, at most the `most` largest."""
    found = np.flatnonzero(mask)
    if not len(found):
        return mask
    part = cc3d.connected_components(mask, connectivity=26).ravel()[found]
    voxels = np.bincount(part)
    order = np.argsort(voxels)[::-1][:most]
    chosen = np.zeros(len(voxels), bool)
    chosen[order] = voxels[order] >= max(min_voxels, 1)
    largest = np.zeros(mask.shape, bool)
    largest.ravel()[found] = chosen[part]
    return largest
