"""What enters and leaves a made kidney, painted into the patient: veins, collecting system, ureter, arteries."""

from __future__ import annotations

import cc3d
import numpy as np

from ..tissues import NUM_TISSUES, TUMOR_TISSUES, Tissue
from .branching import Tube, Vessel, painted
from .collecting_system import CollectingSystem, draw_stones, grow_collecting_systems, stent_path
from .landmarks import Landmarks
from .lesions import equivalent_diameter_mm
from .parenchyma import Kidney
from .renal_arteries import grow_arteries
from .renal_veins import grow_veins, thrombus_tubes
from .ureter import grow_ureter

_HARD = (Tissue.BONE, Tissue.MARROW, Tissue.DISC, Tissue.AIR, Tissue.SKIN, Tissue.METAL)
_LESIONS = (*TUMOR_TISSUES, Tissue.CYST)
_GREAT_ARTERIES = (Tissue.ARTERY, Tissue.PLAQUE, Tissue.OTHER_ARTERY)
_LARGE_TUMOR_MM = 40.0
_CRUMB_MM3 = 60.0


def paint_trees(
    tissues: np.ndarray, kidneys: list[Kidney], landmarks: Landmarks, rng: np.random.Generator
) -> None:  # fmt: skip
    """Veins, collecting systems, ureters and arteries of a patient's kidneys, in place. What a tumor or another vessel
    cuts off from aorta or cava is left out."""
    before = tissues.copy()
    # By tissue, not by side: the veins of one side would cut the arteries of the other.
    thrombi = [tube for kidney in kidneys for tube in _paint_veins(tissues, kidney, landmarks, rng)]
    systems = [_paint_urine(tissues, kidney, landmarks, rng) for kidney in kidneys]
    for kidney in kidneys:
        _paint_arteries(tissues, grow_arteries(kidney, landmarks, rng), kidney)
    for kidney, (pelves, ureters) in zip(kidneys, systems, strict=True):
        _paint_contents(tissues, pelves, ureters, kidney, rng)
    for tissue in (Tissue.ARTERY, Tissue.VEIN):
        _drop_detached(tissues, before, tissue)
    for kidney in kidneys:
        _drop_crumbs(tissues, kidney)
    if thrombi:
        tissues[painted(tissues.shape, thrombi, kidneys[0].spacing) & (tissues == Tissue.VEIN)] = Tissue.THROMBUS


def _has_large_tumor(tissues: np.ndarray, kidney: Kidney) -> bool:
    window = tuple(slice(c, c + n) for c, n in zip(kidney.corner, kidney.lesion.shape, strict=True))
    tumor = kidney.lesion & np.isin(tissues[window], TUMOR_TISSUES)
    return equivalent_diameter_mm(tumor, kidney.spacing) > _LARGE_TUMOR_MM


def _paint_urine(
    tissues: np.ndarray, kidney: Kidney, landmarks: Landmarks, rng: np.random.Generator
) -> tuple[list[CollectingSystem], list[Tube]]:
    systems = grow_collecting_systems(kidney, rng)
    ureters = [grow_ureter(kidney, s.outlet, 7.0 * i, landmarks, rng) for i, s in enumerate(systems)]
    _paint_collecting(tissues, systems, kidney)
    _paint_over(tissues, ureters, Tissue.URINE, _blocked(*_HARD, *_GREAT_ARTERIES, Tissue.VEIN), kidney.spacing)
    return systems, ureters


def _blocked(*kinds: Tissue) -> np.ndarray:
    """Table of the tissues that stay."""
    table = np.zeros(NUM_TISSUES, bool)
    table[list(kinds)] = True
    return table


def _paint_over(tissues: np.ndarray, tubes: list[Tube], tissue: Tissue, blocked: np.ndarray, spacing: float) -> None:
    mask = painted(tissues.shape, tubes, spacing)
    mask[mask] = ~blocked[tissues[mask]]
    tissues[mask] = tissue


def _paint_veins(
    tissues: np.ndarray, kidney: Kidney, landmarks: Landmarks, rng: np.random.Generator
) -> list[Tube]:  # fmt: skip
    """Paints the veins; returns what of them a tumor thrombus fills."""
    trees = grow_veins(kidney, landmarks, tissues, rng)
    for tree, course in zip(trees, kidney.plan.vein.courses, strict=True):
        # A vein behind the aorta has no other room than to dent it.
        aorta = () if course == "retroaortic" else (Tissue.ARTERY, Tissue.PLAQUE)
        arteries = (*aorta, Tissue.OTHER_ARTERY) if aorta else ()
        _paint_over(tissues, tree, Tissue.VEIN, _blocked(*_HARD, *_LESIONS, *arteries), kidney.spacing)
        _paint_lines(tissues, [tree[0].path], Tissue.VEIN, (*_HARD, *aorta))
    if kidney.plan.lesions.has_thrombus and _has_large_tumor(tissues, kidney):
        return thrombus_tubes(trees[0], landmarks, kidney.spacing, rng)
    return []


def _paint_arteries(tissues: np.ndarray, trees: list[list[Vessel]], kidney: Kidney) -> None:
    """A trunk goes on as a line through a tumor that it cannot pass by."""
    vessels = [vessel for tree in trees for vessel in tree]
    _paint_over(tissues, vessels, Tissue.ARTERY, _blocked(*_HARD, *_LESIONS, Tissue.OTHER_ARTERY), kidney.spacing)
    trunks = [vessel.path for tree in trees for vessel in tree[: 2 if len(tree) > 8 else 1]]
    _paint_lines(tissues, trunks, Tissue.ARTERY, (*_HARD, Tissue.PLAQUE))


def _paint_collecting(tissues: np.ndarray, systems: list[CollectingSystem], kidney: Kidney) -> None:
    """Papillae stay, so that calyces cup them, unless the system is dilated; the kidney's outer shell always does, and
    so do veins before the hilum."""
    kinds = [*_HARD, *_GREAT_ARTERIES, *TUMOR_TISSUES]
    if kidney.plan.collecting.width != "dilated":
        kinds.append(Tissue.MEDULLA)
    tubes = [tube for system in systems for tube in system.tubes]
    mask = painted(tissues.shape, tubes, kidney.spacing)
    window = tuple(slice(c, c + n) for c, n in zip(kidney.corner, kidney.shell.shape, strict=True))
    vein = tissues == Tissue.VEIN
    vein[window] &= ~(kidney.solid | kidney.sinus)
    mask[window] &= ~kidney.shell
    mask &= ~vein
    mask[mask] = ~_blocked(*kinds)[tissues[mask]]
    tissues[mask] = Tissue.URINE
    _paint_lines(tissues, [tube.path for tube in tubes], Tissue.URINE, (*_HARD, *_LESIONS))


def _paint_lines(tissues: np.ndarray, paths: list[np.ndarray], tissue: Tissue, kept: tuple) -> None:
    """Paths one voxel wide."""
    lines = [Tube(path, np.zeros(len(path))) for path in paths]
    _paint_over(tissues, lines, tissue, _blocked(*kept), 1.0)


def _paint_contents(
    tissues: np.ndarray, systems: list[CollectingSystem], ureters: list[Tube], kidney: Kidney, rng: np.random.Generator
) -> None:
    """Keeps pelvis and ureter in one piece where vessels cross them; then stones and stent."""
    paths = [path for s, u in zip(systems, ureters, strict=True) for path in (s.funnel.path, u.path)]
    _paint_lines(tissues, paths, Tissue.URINE, _HARD)
    blocked = _blocked(*_HARD, Tissue.ARTERY, Tissue.VEIN, Tissue.CORTEX)
    _paint_over(tissues, draw_stones(kidney, systems, rng), Tissue.STONE, blocked, kidney.spacing)
    if kidney.plan.collecting.has_stent:
        path = stent_path(kidney, systems[0], ureters[0].path)
        _paint_over(tissues, [Tube(path, np.full(len(path), 1.0))], Tissue.STENT, blocked, kidney.spacing)


def _drop_detached(tissues: np.ndarray, before: np.ndarray, tissue: Tissue) -> None:
    """Gives back what was there `before` where newly painted vessels do not hang on vessels that were there."""
    new = (tissues == tissue) & (before != tissue)
    if not new.any():
        return
    spans = [np.flatnonzero(new.any(axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    window = tuple(slice(max(0, s[0] - 1), s[-1] + 2) for s in spans)
    local, was, new = tissues[window], before[window], new[window]
    parts = cc3d.connected_components(local == tissue, connectivity=26)
    old = np.unique(parts[(local == tissue) & ~new])
    lost = new & ~np.isin(parts, old)
    local[lost] = was[lost]


def _drop_crumbs(tissues: np.ndarray, kidney: Kidney) -> None:
    """Turns to fat what vessels cut off from calyces, less than could be seen."""
    local = tissues[tuple(slice(c, c + n) for c, n in zip(kidney.corner, kidney.solid.shape, strict=True))]
    parts = cc3d.connected_components(local == Tissue.URINE, connectivity=26)
    small = np.bincount(parts.ravel()) * kidney.spacing**3 < _CRUMB_MM3
    local[small[parts] & (parts > 0)] = Tissue.FAT
