"""What a tissue shows beside its mean HU: grain, patches, vessels and fat inside it, and blood not yet mixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..tissues import NUM_TISSUES, Tissue
from .enhancement import TumorKind, VeinHU
from .filters import smooth_field, uniform
from .hu_tables import texture_table


@dataclass(frozen=True)
class Texture:
    """Texture of one patient.

    `amplitudes` is (NUM_TISSUES, 4), HU: standard deviation of grain (3 mm) and of patches (9 mm), and what is added
    on thin strands and on thin sheets. `spleen_bands_hu` is half the difference of the arterial spleen's bands,
    `necrosis` the level (in standard deviations of patches) below which tumor is necrotic, at `necrosis_hu`,
    `mixing` how unevenly the veins' blood is mixed (0: even).
    """

    amplitudes: np.ndarray
    spleen_bands_hu: float = 0.0
    necrosis: float = -9.0
    necrosis_hu: float = 15.0
    mixing: float = 0.0


def no_texture() -> Texture:
    """Every tissue even."""
    return Texture(np.zeros((NUM_TISSUES, 4)))


def draw_texture(rng: np.random.Generator, mean_hu: np.ndarray, phase: str, tumor: TumorKind) -> Texture:
    """The texture of one patient's tissues, whose mean HU (NUM_TISSUES,) are given."""
    amplitudes = np.zeros((NUM_TISSUES, 4))
    amplitudes[:, :2] = texture_table() * rng.uniform(0.4, 1.5) * np.exp(rng.normal(0, 0.2, (NUM_TISSUES, 1)))
    enhanced = np.clip((mean_hu[Tissue.TUMOR] - 35) / 100, 0.15, 1.2)
    amplitudes[Tissue.TUMOR, 1] = rng.uniform(*tumor.patchiness) * enhanced
    amplitudes[Tissue.TUMOR, 0] = amplitudes[Tissue.TUMOR, 1] * 0.5 + 2
    # Vessels in the liver are as bright as the portal vein; in fat and lung strands are vessels of partial volume.
    amplitudes[Tissue.LIVER, 2] = (mean_hu[Tissue.PORTAL_VEIN] - mean_hu[Tissue.LIVER]) * rng.uniform(0.3, 1)
    amplitudes[Tissue.FAT, 2] = rng.uniform(30, 150)
    amplitudes[Tissue.LUNG, 2] = rng.uniform(250, 700)
    amplitudes[Tissue.MUSCLE, 3] = -rng.uniform(10, 120)
    return Texture(
        amplitudes,
        spleen_bands_hu=float(_spleen_bands(rng, mean_hu, phase)),
        necrosis=float(rng.uniform(-2.2, -0.4)) if tumor.name == "clear cell" or rng.random() < 0.3 else -9.0,
        necrosis_hu=float(rng.uniform(8, 32)),
        mixing=float(rng.uniform(0, 0.6)) if phase != "none" else 0.0,
    )


def _spleen_bands(rng: np.random.Generator, mean_hu: np.ndarray, phase: str) -> float:
    share = {"arterial": 0.85, "corticomedullary": 0.4}.get(phase, 0.0)
    return rng.uniform(0.08, 0.42) * max(0, mean_hu[Tissue.SPLEEN] - 45) if rng.random() < share else 0.0


def textured(
    hu: torch.Tensor, tissues: torch.Tensor, spacing: float, texture: Texture, generator: torch.Generator
) -> torch.Tensor:
    """HU (D, H, W) with texture; `tissues` (D, H, W) integer on the same grid of `spacing` mm. May write into `hu`."""
    grain, patches, first, second = (
        smooth_field(hu.shape, mm / spacing, generator, hu.device) for mm in (3.0, 9.0, 11.0, 8.0)
    )
    amplitudes = torch.from_numpy(texture.amplitudes.T.copy()).to(hu.device, torch.float32)
    index = tissues.flatten()
    # Where two smooth fields are zero at once is a curve, where one is zero is a surface.
    sheets = torch.exp(first.square() * -35)
    strands = sheets * torch.exp(second.square() * -35)
    for field, amplitude in zip((grain, patches, strands, sheets), amplitudes, strict=True):
        hu.addcmul_(field, amplitude.index_select(0, index).view(hu.shape))
    if texture.spleen_bands_hu:
        hu += torch.cos(3 * first) * ((tissues == Tissue.SPLEEN) * texture.spleen_bands_hu)
    if texture.necrosis > -5:
        share = torch.sigmoid((texture.necrosis - patches) * 5) * (tissues == Tissue.TUMOR)
        hu += share * (texture.necrosis_hu - hu)
    hu += ((tissues == Tissue.STOOL) & (second < -0.8)) * (-550 - hu)
    return hu


def mix_veins(
    hu: torch.Tensor,
    tissues: torch.Tensor,
    spacing: float,
    veins: VeinHU,
    mixing: float,
    generator: torch.Generator,
) -> None:
    """Gives VEIN voxels of `hu` (D, H, W) the blood's HU where they are: legs' below the kidneys, bright in the renal
    veins, mixed and streaming above."""
    points = (tissues == Tissue.VEIN).nonzero()
    if not len(points):
        return
    z, y, x = points.unbind(1)
    horizontal = 1 - _extends_up_and_down(tissues, z, y, x, spacing)
    level = _renal_level(tissues, z, horizontal, generator)
    above_mm = (z - level) * spacing
    blood = veins.infrarenal + (veins.suprarenal - veins.infrarenal) * torch.sigmoid(above_mm / 8)
    near = torch.exp(-((above_mm / 35) ** 2))
    blood = blood + (veins.renal - blood) * horizontal * near
    if mixing:
        cells = [length / spacing for length in (30, 8, 8)]
        field = smooth_field(hu.shape, cells, generator, hu.device)[z, y, x]
        streaming = torch.exp(-(((above_mm - 25) / 45) ** 2))
        blood = blood + field * streaming * (mixing * (veins.renal - veins.infrarenal))
    hu[z, y, x] = blood


def _extends_up_and_down(
    tissues: torch.Tensor, z: torch.Tensor, y: torch.Tensor, x: torch.Tensor, spacing: float
) -> torch.Tensor:
    """1 in a vein that runs along z, as the cava, and 0 in one that runs across, as the renal veins."""
    inside = [
        tissues[(z + round(mm / spacing)).clamp(0, tissues.shape[0] - 1), y, x] == Tissue.VEIN
        for mm in (-18, -12, 12, 18)
    ]
    return torch.stack(inside).float().sum(0).div(2).clamp(0, 1)


def _renal_level(
    tissues: torch.Tensor, z: torch.Tensor, horizontal: torch.Tensor, generator: torch.Generator
) -> torch.Tensor | float:
    """Index along z where the renal veins reach the cava: horizontal veins beside the kidneys, else the kidneys'
    middle; a view without kidneys lies below or above by chance."""
    cortex = (tissues == Tissue.CORTEX).sum((1, 2)).float()
    weights = horizontal * cortex[z]
    if weights.sum() > 0:
        return (weights * z).sum() / weights.sum()
    if cortex.sum() > 0:
        return (cortex * torch.arange(len(cortex), device=cortex.device)).sum() / cortex.sum()
    return len(cortex) * (3.0 if uniform(0, 1, generator) < 0.5 else -2.0)
