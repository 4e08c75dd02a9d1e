"""From tissues to HU: contrast phase, texture, partial volume, slice thickness and noise.

Ranges are those of abdominal CT at 100-140 kVp in the phases' usual timing; enhancement is drawn between none and full,
as late, weak and early scans exist. They are meant to cover real scans, not to fit one scanner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .tissues import NUM_TISSUES, Tissue

PHASES = ("none", "arterial", "portal", "excretory")

# Mean HU ranges without contrast; what enhances has its range in each phase below.
_PLAIN_HU: dict[Tissue, tuple[float, float]] = {
    Tissue.AIR: (-1000, -1000), Tissue.FAT: (-118, -85), Tissue.SKIN: (-20, 50), Tissue.MUSCLE: (35, 65),
    Tissue.BONE: (250, 750), Tissue.MARROW: (80, 300), Tissue.DISC: (55, 110), Tissue.LUNG: (-900, -750),
    Tissue.LIVER: (35, 65), Tissue.SPLEEN: (35, 55), Tissue.PANCREAS: (25, 50), Tissue.GALLBLADDER: (-5, 20),
    Tissue.STOMACH: (0, 50), Tissue.BOWEL_WALL: (25, 55), Tissue.BOWEL_GAS: (-1000, -750),
    Tissue.BOWEL_FLUID: (-20, 60), Tissue.ADRENAL: (10, 40), Tissue.HEART: (35, 50),
    Tissue.OTHER_VEIN: (35, 50), Tissue.TABLE: (-700, 150), Tissue.FLUID: (0, 25), Tissue.PORTAL_VEIN: (35, 50),
    Tissue.BOWEL_CONTRAST: (90, 450), Tissue.CORTEX: (25, 42), Tissue.MEDULLA: (25, 42), Tissue.TUMOR: (22, 48),
    Tissue.CYST: (-6, 22), Tissue.ARTERY: (35, 50), Tissue.VEIN: (35, 50), Tissue.URINE: (-5, 18),
}  # fmt: skip

_ENHANCED_HU: dict[Tissue, tuple[tuple[float, float], ...]] = {
    Tissue.MUSCLE: ((45, 75), (50, 80), (50, 75)),
    Tissue.LIVER: ((50, 85), (80, 135), (75, 115)),
    Tissue.SPLEEN: ((80, 150), (95, 145), (85, 120)),
    Tissue.PANCREAS: ((65, 125), (70, 115), (60, 95)),
    Tissue.STOMACH: ((0, 60), (0, 60), (0, 60)),
    Tissue.BOWEL_WALL: ((45, 110), (60, 115), (55, 95)),
    Tissue.ADRENAL: ((40, 90), (50, 90), (40, 80)),
    Tissue.HEART: ((120, 320), (110, 175), (90, 140)),
    Tissue.OTHER_VEIN: ((40, 90), (80, 160), (85, 140)),
    Tissue.PORTAL_VEIN: ((50, 160), (120, 200), (95, 145)),
    Tissue.CORTEX: ((110, 230), (130, 220), (110, 200)),
    Tissue.MEDULLA: ((40, 120), (110, 210), (110, 220)),
    Tissue.TUMOR: ((40, 190), (45, 140), (40, 115)),
    Tissue.ARTERY: ((170, 450), (110, 185), (85, 140)),
    Tissue.VEIN: ((50, 190), (85, 190), (85, 145)),
    Tissue.URINE: ((-5, 20), (-5, 25), (120, 1200)),
}

# Standard deviation of the texture inside a tissue, HU.
_TEXTURE_HU: dict[Tissue, float] = {
    Tissue.FAT: 9, Tissue.MUSCLE: 12, Tissue.BONE: 120, Tissue.MARROW: 50, Tissue.LUNG: 50, Tissue.STOMACH: 30,
    Tissue.BOWEL_FLUID: 25, Tissue.BOWEL_CONTRAST: 60, Tissue.TUMOR: 20, Tissue.URINE: 6, Tissue.CORTEX: 10,
    Tissue.MEDULLA: 10, Tissue.TABLE: 60, Tissue.PANCREAS: 12, Tissue.HEART: 15, Tissue.AIR: 0,
}  # fmt: skip


@dataclass(frozen=True)
class Appearance:
    """What one made scan looks like: HU and texture by tissue, blur and noise."""

    mean_hu: np.ndarray
    texture_hu: np.ndarray
    necrosis: float
    blur_mm: float
    slice_mm: float
    noise_hu: float
    noise_grain_mm: float


def draw_appearance(rng: np.random.Generator, phase: str | None = None) -> Appearance:
    """A random appearance; `phase` is one of `PHASES`, or None for any."""
    phase = phase or PHASES[rng.choice(4, p=(0.15, 0.3, 0.35, 0.2))]
    texture = np.full(NUM_TISSUES, 5.0)
    for tissue, value in _TEXTURE_HU.items():
        texture[tissue] = value
    return Appearance(
        mean_hu=_mean_hu(rng, phase),
        texture_hu=texture * rng.uniform(0.5, 1.5),
        necrosis=float(rng.uniform(-2.0, -0.3)),
        blur_mm=float(rng.uniform(0.6, 1.6)),
        slice_mm=float(rng.choice((1.0, 1.5, 2.0, 3.0, 5.0))),
        noise_hu=float(np.exp(rng.uniform(np.log(3), np.log(28)))),
        noise_grain_mm=float(rng.uniform(0.8, 2.5)),
    )


def _mean_hu(rng: np.random.Generator, phase: str) -> np.ndarray:
    mean = np.zeros(NUM_TISSUES)
    strength = rng.uniform(0.45, 1.1)
    for tissue, plain in _PLAIN_HU.items():
        mean[tissue] = rng.uniform(*plain)
        if phase != "none" and tissue in _ENHANCED_HU:
            full = rng.uniform(*_ENHANCED_HU[tissue][PHASES.index(phase) - 1])
            mean[tissue] += strength * (full - mean[tissue])
    if phase == "none":
        mean[Tissue.MEDULLA] = mean[Tissue.CORTEX]
    mean[Tissue.OTHER_ARTERY] = mean[Tissue.ARTERY]
    return mean


def paint(
    tissues: torch.Tensor, spacing: float, look: Appearance, generator: torch.Generator, factor: int = 1
) -> torch.Tensor:
    """HU (D, H, W) float32 of tissues (z, y, x) on a grid of `spacing` mm.

    With `factor` > 1 the result is on a grid coarser by that factor: HU are averaged before texture and noise, which is
    what resampling a scan to a coarse grid amounts to, at an eighth of the cost.
    """
    index = tissues.long()
    hu = _pooled(torch.from_numpy(look.mean_hu).float()[index], factor)
    texture_hu = _pooled(torch.from_numpy(look.texture_hu).float()[index], factor)
    tumor = _pooled((index == Tissue.TUMOR).float(), factor) > 0.5
    spacing = spacing * factor
    texture = _smooth(hu.shape, 4 / spacing, generator) * 0.6 + _smooth(hu.shape, 10 / spacing, generator) * 0.8
    blobs = _smooth(hu.shape, 14 / spacing, generator)
    hu = hu + texture * texture_hu
    hu = torch.where(tumor & (blobs < look.necrosis), 15 + 8 * texture, hu)
    hu = _blurred(hu, [look.blur_mm / spacing] * 3)
    hu = _thick_slices(hu, look.slice_mm / spacing)
    noise = _blurred(torch.randn(hu.shape, generator=generator), [look.noise_grain_mm / spacing / 2] * 3)
    return (hu + noise * (look.noise_hu / factor / noise.std().clamp_min(1e-6))).clamp(-1024, 3000)


def _pooled(volume: torch.Tensor, factor: int) -> torch.Tensor:
    return F.avg_pool3d(volume[None], factor)[0] if factor > 1 else volume


def _smooth(shape: torch.Size, cell: float, generator: torch.Generator) -> torch.Tensor:
    coarse = [max(2, round(n / cell) + 1) for n in shape]
    grid = torch.randn((1, 1, *coarse), generator=generator)
    field = F.interpolate(grid, size=tuple(shape), mode="trilinear", align_corners=True)[0, 0]
    return field / field.std().clamp_min(1e-6)


def _kernel(sigma: float) -> torch.Tensor:
    radius = max(1, round(3 * sigma))
    x = torch.arange(-radius, radius + 1, dtype=torch.float32)
    weights = torch.exp(-0.5 * (x / max(sigma, 1e-3)) ** 2)
    return weights / weights.sum()


def _convolved(volume: torch.Tensor, kernel: torch.Tensor, axis: int) -> torch.Tensor:
    radius = len(kernel) // 2
    padded = F.pad(volume.movedim(axis, -1), (radius, radius), mode="replicate")
    shifted = sum(w * padded[..., i : i + volume.shape[axis]] for i, w in enumerate(kernel.tolist()))
    return shifted.movedim(-1, axis)


def _blurred(volume: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    for axis, sigma in enumerate(sigmas):
        if sigma > 0.15:
            volume = _convolved(volume, _kernel(sigma), axis)
    return volume


def _thick_slices(volume: torch.Tensor, thickness: float) -> torch.Tensor:
    """Averages over slices `thickness` voxels thick along z and interpolates back, as a resampled thick-slice CT."""
    if thickness <= 1:
        return volume
    count = max(2, round(volume.shape[0] / thickness))
    stack = volume.movedim(0, -1)[None]
    thick = (
        F.interpolate(stack.flatten(1, 2), size=count, mode="area")
        if thickness >= 2
        else (F.interpolate(stack.flatten(1, 2), size=count, mode="linear", align_corners=False))
    )
    back = F.interpolate(thick, size=volume.shape[0], mode="linear", align_corners=False)
    return back.view(volume.shape[1], volume.shape[2], volume.shape[0]).movedim(-1, 0)
