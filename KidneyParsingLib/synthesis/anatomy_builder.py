"""One made patient: the SPL atlas deformed, completed to a whole body, with real kidney shapes set in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..anatomy import LEFT, RIGHT
from .atlas import SPL_HILUM, SPL_KIDNEY, kidney_cases, spl_labels, spl_tissues
from .fields import rotation, warp_labels
from .renal.kidney_bed import fill_bed, paint_isthmus
from .renal.kidneys import draw_shape, lower_pole, place_kidney, vary_shape
from .renal.landmarks import LATERAL, Landmarks, find_landmarks
from .renal.parenchyma import Kidney
from .renal.renal_tree import paint_trees
from .renal.variants import SIDES, KidneyPlan, RenalPlan, draw_renal_plan
from .tissues import Tissue
from .trunk.body import fill_body

DEFAULT_SPACING_MM = 2.0
_CANVAS_MM = (352.0, 400.0, 440.0)
_HELD_OUT_STEP = 10
# Of anatomies that keep the shape of the SPL atlas's kidneys.
_OWN_SHAPE_SHARE = 0.04


@dataclass(frozen=True)
class Atlases:
    """The folders that anatomy is made from; without `kidneys` the SPL atlas keeps its own kidneys.

    With `held_out` only every tenth case of the kidney atlas is used, those of the synthetic test split; with False the
    others, with None all.
    """

    spl: Path
    kidneys: Path | None = None
    held_out: bool | None = None

    @cached_property
    def cases(self) -> list[Path]:
        """The kidney atlas's cases that are used (empty without that folder)."""
        cases = kidney_cases(self.kidneys) if self.kidneys else []
        return [c for i, c in enumerate(cases) if self.held_out in (None, i % _HELD_OUT_STEP == 0)]


def make_anatomy(
    atlases: Atlases, rng: np.random.Generator, spacing: float = DEFAULT_SPACING_MM, canvas_mm: tuple = _CANVAS_MM
) -> np.ndarray:
    """uint8 `Tissue` array (z, y, x; z superior, y posterior, x left) at `spacing` mm isotropic.

    Deterministic for a given state of `rng`. What its kidneys are like is drawn first, by
    `variants.draw_renal_plan`.
    """
    plan = draw_renal_plan(rng)
    labels = _deformed_labels(atlases, rng, spacing, canvas_mm)
    tissues = spl_tissues(labels)
    fill_body(tissues, spacing, rng)
    _set_kidneys(tissues, labels, plan, atlases, spacing, rng)
    return tissues


def _set_kidneys(
    tissues: np.ndarray, labels: np.ndarray, plan: RenalPlan, atlases: Atlases, spacing: float,
    rng: np.random.Generator
) -> None:  # fmt: skip
    """Replaces the SPL kidneys with their vessels and ureters by planned ones, in place: first both kidneys, then what
    enters and leaves them."""
    cases = atlases.cases if rng.random() >= _OWN_SHAPE_SHARE else []
    old = np.isin(labels, [*SPL_KIDNEY.values(), *SPL_HILUM[RIGHT], *SPL_HILUM[LEFT]])
    # The great vessels were redrawn and may lie where the atlas's renal vessels did.
    old &= ~np.isin(tissues, (Tissue.ARTERY, Tissue.PLAQUE, Tissue.VEIN))
    tissues[old | np.isin(tissues, (Tissue.CORTEX, Tissue.URINE))] = Tissue.FAT
    landmarks = find_landmarks(labels, tissues)
    tilt = rng.uniform(20, 35) if plan.is_horseshoe else 0.0
    drawn = (
        _set_kidney(tissues, labels, landmarks, side, plan.kidneys[side], cases, tilt, spacing, rng) for side in SIDES
    )
    kidneys = [kidney for kidney in drawn if kidney is not None]
    if plan.is_horseshoe and len(kidneys) == 2:
        poles = [lower_pole(kidney) for kidney in kidneys]
        isthmus = paint_isthmus(tissues, poles, landmarks, spacing, rng)
        landmarks = replace(landmarks, cover=np.minimum(landmarks.front, isthmus))
    paint_trees(tissues, kidneys, landmarks, rng)


def _set_kidney(
    tissues: np.ndarray, labels: np.ndarray, landmarks: Landmarks, side: str, plan: KidneyPlan, cases: list[Path],
    tilt: float, spacing: float, rng: np.random.Generator
) -> Kidney | None:  # fmt: skip
    old = labels == SPL_KIDNEY[side]
    if not old.any():
        return None
    if not plan.is_present:
        if plan.state == "removed":
            fill_bed(tissues, old & (tissues == Tissue.FAT), side, spacing, rng)
        return None
    center = _center(old | np.isin(labels, SPL_HILUM[side][0]), landmarks, side, plan, tilt, spacing, rng)
    array = draw_shape(cases, side, plan, spacing, rng)
    shape, outward = vary_shape(_tight(old) if array is None else array, side, plan, tilt, spacing, rng)
    return place_kidney(tissues, shape, outward, center, side, plan, spacing, rng)


def _center(
    old: np.ndarray, landmarks: Landmarks, side: str, plan: KidneyPlan, tilt: float, spacing: float,
    rng: np.random.Generator
) -> np.ndarray:  # fmt: skip
    """Where a kidney is put, (3,) voxels: near the old one; on the psoas if it is ptotic; nearer to the midline in a
    horseshoe. Thick fat behind the kidney pushes it forward."""
    center = np.argwhere(old).mean(0)
    forward = 0.3 * max(0.0, plan.fat_mm - 8)
    center += (rng.normal(0, (7, 4, 4)) - (plan.lowered_mm, forward, 15 * LATERAL[side] * (tilt > 0))) / spacing
    psoas = landmarks.psoas[side]
    if plan.state == "ptotic" and len(psoas.points):
        middle, radius = psoas.at(center[0]), psoas.radius_at(center[0])
        center[1:] = middle[1:] + (-radius - 26 / spacing, LATERAL[side] * rng.uniform(-5, 15) / spacing)
    return center


def _deformed_labels(atlases: Atlases, rng: np.random.Generator, spacing: float, canvas_mm: tuple) -> np.ndarray:
    labels = spl_labels(atlases.spl, spacing)
    scale = rng.uniform(0.88, 1.12) * rng.uniform(0.9, 1.1, 3) * np.array([1.0, 1.15, 1.15])
    matrix = rotation(rng.normal(0, 4, 3)) / scale
    shape = tuple(round(mm / spacing) for mm in canvas_mm)
    return warp_labels(labels, matrix, shape, rng.uniform(2, 6) / spacing, 60 / spacing, rng)


def _tight(mask: np.ndarray) -> np.ndarray:
    """The SPL kidney itself as a shape."""
    return mask[ndimage.find_objects(mask.astype(np.uint8))[0]].astype(np.uint8)
