"""Real scans seen otherwise: structures in another contrast phase, and lesions where the patient has none.

Both keep the scan's own noise and surroundings, which made CT only imitates. Labels are structure labels 0..6,
neighbours' labels or of `case.UNKNOWN`, HU and labels (D, H, W) tensors.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..anatomy import labels_of
from ..networks.configs import NEIGHBOUR_LABELS
from ..synthesis.fields import smooth_noise
from .data.case import IGNORED, NO_LESION

_KIDNEY, _TUMOR, _CYST, _ARTERY, _VEIN = labels_of("kidney", "tumor", "cyst", "artery", "vein")
_LIVER, _SPLEEN = NEIGHBOUR_LABELS["liver"], NEIGHBOUR_LABELS["spleen"]
# Mean HU that a structure may have in any phase, none to arterial; our choice, wide.
_ANY_PHASE_HU = {_KIDNEY: (25.0, 220.0), _ARTERY: (30.0, 380.0), _VEIN: (30.0, 200.0),
                 _LIVER: (35.0, 135.0), _SPLEEN: (38.0, 160.0)}  # fmt: skip
_PLAIN_HU = {_KIDNEY: (24.0, 40.0), _ARTERY: (32.0, 48.0), _VEIN: (32.0, 48.0),
             _LIVER: (35.0, 68.0), _SPLEEN: (38.0, 56.0)}  # fmt: skip
_PLAIN_SHARE = 0.4
_RADIUS_MM = (5.0, 30.0)
_CYST_SHARE = 0.35
_CYST_HU = (-8.0, 22.0)
_TUMOR_OF_KIDNEY = (0.2, 1.1)
_LEAST_TUMOR_HU = 22.0
# What a lesion may grow into beside the kidney: fat.
_FAT_HU = (-150.0, 10.0)


def rephased(hu: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """HU with kidney, vessels, liver and spleen moved to means that they might have in another phase; texture stays."""
    ranges = _PLAIN_HU if rng.random() < _PLAIN_SHARE else _ANY_PHASE_HU
    for label, (low, high) in ranges.items():
        mask = labels == label
        wanted = rng.uniform(low, high)
        if mask.any():
            hu = hu + _softened(mask) * (wanted - float(hu[mask].mean()))
    return hu


def with_pasted_lesion(
    hu: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator, spacing: tuple[float, float, float]
) -> tuple[torch.Tensor, torch.Tensor]:
    """HU and labels with one uneven round tumor or cyst, 10-60 mm wide, that grows from a kidney into its fat.

    Without a kidney in the patch nothing changes. `spacing` (z, y, x) in mm.
    """
    kidney = labels == _KIDNEY
    places = kidney.nonzero()
    if not len(places):
        return hu, labels
    center = places[int(rng.integers(len(places)))].numpy()
    lesion = _ball(labels.shape, center, rng, spacing) & (kidney | _is_fat(hu, labels))
    label, mean = _draw_lesion(float(hu[kidney].mean()), rng)
    texture = torch.from_numpy(smooth_noise(tuple(hu.shape), 5.0, rng)) * float(rng.uniform(2, 18))
    own = hu - _smoothed(hu)
    edge = _softened(lesion)
    painted = torch.lerp(hu, mean + own + (texture if label == _TUMOR else 0), edge)
    # Voxels that share in the lesion's edge are not known to be none.
    labels = torch.where((edge > 0) & (labels == NO_LESION), IGNORED, labels)
    return painted, torch.where(lesion, label, labels)


def _draw_lesion(kidney_hu: float, rng: np.random.Generator) -> tuple[int, float]:
    """Its label and mean HU."""
    if rng.random() < _CYST_SHARE:
        return _CYST, float(rng.uniform(*_CYST_HU))
    return _TUMOR, max(_LEAST_TUMOR_HU, kidney_hu * float(rng.uniform(*_TUMOR_OF_KIDNEY)))


def _ball(
    shape: torch.Size, center: np.ndarray, rng: np.random.Generator, spacing: tuple[float, float, float]
) -> torch.Tensor:
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    squares = (((axis - c) * mm) ** 2 for axis, c, mm in zip(axes, center, spacing, strict=True))
    radius = np.exp(rng.uniform(*np.log(_RADIUS_MM))) * (1 + 0.12 * smooth_noise(tuple(shape), 6.0, rng))
    return torch.from_numpy(np.sqrt(sum(squares)) < radius)


def _is_fat(hu: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    smooth = _smoothed(hu)
    return (labels == 0) & (smooth > _FAT_HU[0]) & (smooth < _FAT_HU[1])


def _softened(mask: torch.Tensor) -> torch.Tensor:
    return _smoothed(mask.float())


def _smoothed(volume: torch.Tensor) -> torch.Tensor:
    """Means of 3x3x3 voxels, about the blur that a scan has on the grids that networks work on."""
    padded = F.pad(volume[None, None], (1,) * 6, mode="replicate")
    return F.avg_pool3d(padded, 3, stride=1)[0, 0]
