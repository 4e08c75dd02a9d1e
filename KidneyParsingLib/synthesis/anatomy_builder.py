"""One made patient: the SPL atlas deformed, completed to a whole body, with real kidney shapes set in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..anatomy import LEFT, RIGHT
from .atlas import (
    SPL_AORTA,
    SPL_CAVA,
    SPL_HILUM,
    SPL_KIDNEY,
    SPL_URETER,
    kidney_cases,
    kidney_shapes,
    spl_labels,
    spl_tissues,
)  # fmt: skip
from .body import fill_body
from .fields import rotation, warp_labels
from .kidneys import place_kidney, vary_shape, with_lesion
from .renal_tree import Trunk, center_line
from .tissues import Tissue

DEFAULT_SPACING_MM = 2.0
_CANVAS_MM = (352.0, 400.0, 440.0)


@dataclass(frozen=True)
class Atlases:
    """The folders that anatomy is made from; without `kidneys` the SPL atlas keeps its own kidneys."""

    spl: Path
    kidneys: Path | None = None

    @cached_property
    def cases(self) -> list[Path]:
        """The kidney atlas's cases (empty without that folder)."""
        return kidney_cases(self.kidneys) if self.kidneys else []


def make_anatomy(
    atlases: Atlases, rng: np.random.Generator, spacing: float = DEFAULT_SPACING_MM, canvas_mm: tuple = _CANVAS_MM
) -> np.ndarray:
    """uint8 `Tissue` array (z, y, x; z superior, y posterior, x left) at `spacing` mm isotropic.

    Deterministic for a given state of `rng`. One side in twenty is left without a kidney.
    """
    labels = _deformed_labels(atlases, rng, spacing, canvas_mm)
    tissues = spl_tissues(labels)
    fill_body(tissues, spacing, rng)
    trunk = Trunk(
        center_line(labels == SPL_AORTA),
        center_line(labels == SPL_CAVA),
        {side: center_line(labels == value) for side, value in SPL_URETER.items()},
    )
    shapes = _pick_shapes(atlases, spacing, rng)
    for side in (RIGHT, LEFT):
        _renew_side(tissues, labels, side, shapes, trunk, spacing, rng)
    return tissues


def _deformed_labels(atlases: Atlases, rng: np.random.Generator, spacing: float, canvas_mm: tuple) -> np.ndarray:
    labels = spl_labels(atlases.spl, spacing)
    scale = rng.uniform(0.88, 1.12) * rng.uniform(0.9, 1.1, 3) * np.array([1.0, 1.15, 1.15])
    matrix = rotation(rng.normal(0, 4, 3)) / scale
    shape = tuple(round(mm / spacing) for mm in canvas_mm)
    return warp_labels(labels, matrix, shape, rng.uniform(2, 6) / spacing, 60 / spacing, rng)


def _pick_shapes(atlases: Atlases, spacing: float, rng: np.random.Generator) -> dict:
    """Both kidneys of one random case, varied; nothing where there is no atlas or the SPL kidneys are kept."""
    if not atlases.cases or rng.random() < 0.1:
        return {}
    for _ in range(20):
        shapes = kidney_shapes(atlases.cases[rng.integers(len(atlases.cases))], spacing)
        if shapes:
            return {shape.side: vary_shape(shape, spacing, rng) for shape in shapes}
    return {}


def _renew_side(
    tissues: np.ndarray, labels: np.ndarray, side: str, shapes: dict, trunk: Trunk, spacing: float,
    rng: np.random.Generator
) -> None:  # fmt: skip
    """Replaces the SPL kidney of one side, with its vessels and ureter, by the picked shape."""
    old = labels == SPL_KIDNEY[side]
    if not old.any():
        return
    center = np.argwhere(old | np.isin(labels, SPL_HILUM[side][0])).mean(0)
    shape = shapes[side] if side in shapes else _own_shape(old, spacing, rng)
    tissues[old | np.isin(labels, SPL_HILUM[side])] = Tissue.FAT
    if rng.random() < 0.05:
        return
    place_kidney(tissues, shape, center + rng.normal(0, 5, 3) / spacing, side, trunk, spacing, rng)


def _own_shape(mask: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """The SPL kidney itself with room around it, every second time with a made lesion."""
    points = np.argwhere(mask)
    low, high = points.min(0), points.max(0) + 1
    tight = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].astype(np.uint8)
    shape = np.pad(tight, round(40 / spacing))
    return with_lesion(shape, spacing, rng) if rng.random() < 0.5 else shape
