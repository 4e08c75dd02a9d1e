"""A made scan with its truth, as a scanner would give it: for demos, tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from ..inference.locate import Midline
from ..inference.sides import to_segments
from ..volumes.volume import LabelMap, Volume
from .anatomy_builder import Atlases, make_anatomy
from .appearance import draw_appearance, paint
from .tissues import VERTEBRA_TISSUES, Tissue, structure_lookup


@dataclass(frozen=True)
class ScanPlan:
    """What to make: `seed`, contrast `phase` (None: any), voxel size (z, y, x) in mm and the spacing
    of the anatomy that it is sampled from."""

    seed: int
    phase: str | None = None
    voxel_mm: tuple[float, float, float] = (3.0, 1.5, 1.5)
    anatomy_mm: float = 1.5


def make_scan(atlases: Atlases, plan: ScanPlan) -> tuple[Volume, LabelMap]:
    """A made CT (int16 HU) and its truth on the same grid, upright in LPS, cropped to the patient and the table."""
    rng = np.random.default_rng(plan.seed)
    tissues = _cut_to_patient(make_anatomy(atlases, rng, plan.anatomy_mm))
    generator = torch.Generator().manual_seed(plan.seed)
    hu = paint(torch.from_numpy(tissues), plan.anatomy_mm, draw_appearance(rng, plan.phase), generator).numpy()
    zoom = plan.anatomy_mm / np.array(plan.voxel_mm)
    affine = _affine(plan.voxel_mm)
    array = np.round(ndimage.zoom(hu, zoom, order=1, grid_mode=True, mode="nearest")).astype(np.int16)
    labels = ndimage.zoom(structure_lookup()[tissues], zoom, order=0, grid_mode=True, mode="nearest")
    volume = Volume(array, affine)
    return volume, to_segments(labels, volume, _midline(tissues, plan))


def _cut_to_patient(tissues: np.ndarray, margin: int = 8) -> np.ndarray:
    patient = (tissues != Tissue.AIR) & (tissues != Tissue.TABLE)
    spans = [np.flatnonzero(patient.any(axes)) for axes in ((0, 2), (0, 1))]
    y, x = (slice(max(0, s[0] - margin), s[-1] + 1 + margin) for s in spans)
    return tissues[:, y, x]


def _affine(voxel_mm: tuple[float, float, float]) -> np.ndarray:
    """Upright axes, first voxel away from zero so that a forgotten origin is seen."""
    affine = np.diag([*voxel_mm[::-1], 1.0])
    affine[:3, 3] = (-180.0, -150.0, -420.0)
    return affine


def _midline(tissues: np.ndarray, plan: ScanPlan) -> Midline:
    spine = np.isin(tissues, VERTEBRA_TISSUES)
    heights = np.flatnonzero(spine.any((1, 2)))
    columns = np.array([np.argwhere(spine[z])[:, 1].mean() for z in heights])
    affine = _affine(plan.voxel_mm)
    # The grids share their outer border, not their first voxel's centre.
    border = affine[:3, 3] - np.array(plan.voxel_mm[::-1]) / 2
    return Midline(border[2] + (heights + 0.5) * plan.anatomy_mm, border[0] + (columns + 0.5) * plan.anatomy_mm)
