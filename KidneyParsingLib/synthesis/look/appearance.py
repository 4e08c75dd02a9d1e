"""From tissues to HU: one patient's contrast bolus, texture, a scanner with its noise, and its artifacts.

Ranges and sources: docs/appearance.md. They are meant to cover real scans, not to fit one scanner: a quarter of the
samples draws every tissue on its own within wide ranges, and a tenth has nearly arbitrary contrasts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from ...errors import InputError
from ..tissues import Tissue
from .artifacts import Artifacts, artifacts, draw_artifacts
from .enhancement import Bolus, VeinHU, arbitrary_hu, bolus_hu, draw_bolus, draw_tumor_kind, plain_hu, wide_hu
from .filters import along
from .hu_tables import PHASES
from .scanner import Scanner, draw_scanner, noise, reconstructed, slice_grid
from .texture import Texture, draw_texture, mix_veins, no_texture, textured

__all__ = ["PHASES", "Appearance", "describe", "draw_appearance", "paint"]

# Kidneys without contrast are the hardest to tell from what lies beside them.
_PHASE_SHARES = (0.25, 0.13, 0.22, 0.26, 0.14)
_WIDE_SHARE, _ARBITRARY_SHARE = 0.25, 0.10
_HU_RANGE = (-1024, 3071)


@dataclass(frozen=True)
class Appearance:
    """What one made scan looks like.

    `phase` is one of `PHASES`, or "arbitrary"; `mean_hu` is (NUM_TISSUES,); `veins` says how VEIN varies along z (None:
    it does not); `bolus` is None where tissues were drawn on their own. The defaults are those of an ideal scanner.
    """

    mean_hu: np.ndarray
    phase: str = "none"
    veins: VeinHU | None = None
    bolus: Bolus | None = None
    tumor: str = ""
    texture: Texture = field(default_factory=no_texture)
    scanner: Scanner = Scanner()
    artifacts: Artifacts = Artifacts()


def draw_appearance(rng: np.random.Generator, phase: str | None = None) -> Appearance:
    """A random appearance; `phase` is one of `PHASES`, or None for any, arbitrary contrasts among them.

    Raises InputError if there is no such phase.
    """
    if phase not in (None, *PHASES):
        raise InputError(f"There is no contrast phase {phase!r}; give one of {', '.join(PHASES)}.")
    style = rng.random()
    if phase is None and style > 1 - _ARBITRARY_SHARE:
        phase = "arbitrary"
    phase = phase or str(rng.choice(PHASES, p=_PHASE_SHARES))
    tumor = draw_tumor_kind(rng)
    bolus, veins = None, None
    if phase == "arbitrary":
        mean, veins = arbitrary_hu(rng)
    elif style < _WIDE_SHARE:
        mean, veins = wide_hu(rng, phase)
    elif phase == "none":
        mean = plain_hu(rng)
    else:
        bolus = draw_bolus(rng, phase)
        mean, veins = bolus_hu(rng, bolus, tumor)
    texture = draw_texture(rng, mean, phase, tumor)
    return Appearance(mean, phase, veins, bolus, tumor.name, texture, draw_scanner(rng), draw_artifacts(rng))


def paint(
    tissues: torch.Tensor, spacing: float, look: Appearance, generator: torch.Generator, factor: int = 1
) -> torch.Tensor:
    """HU (D, H, W) float32 of tissues (z, y, x) on a grid of `spacing` mm, on the device of `tissues`.

    With `factor` > 1 the result is on a grid coarser by that factor: HU are averaged before texture and noise, which is
    what resampling a scan to a coarse grid amounts to, at an eighth of the cost. Noise then has `noise_hu` divided by
    the factor's root: neighbours share most of it, so averaging takes less than of white noise.
    """
    hu = _of_tissue(torch.from_numpy(look.mean_hu).to(tissues.device, torch.float32), tissues)
    if look.veins:
        mix_veins(hu, tissues, spacing, look.veins, look.texture.mixing, generator)
    if factor > 1:
        hu, tissues = F.avg_pool3d(hu[None], factor)[0], _strided(tissues, factor)
    spacing = spacing * factor
    if look.texture.amplitudes.any():
        hu = textured(hu, tissues.int(), spacing, look.texture, generator)
    return _scanned(hu, spacing, look, generator, factor).clamp_(*_HU_RANGE)


def _scanned(
    hu: torch.Tensor, spacing: float, look: Appearance, generator: torch.Generator, factor: int
) -> torch.Tensor:
    grid = slice_grid(len(hu), spacing, look.scanner, look.artifacts.breathing_mm, generator, hu.device)
    slices = hu if grid is None else along(hu, grid.sample, 0)
    slices = reconstructed(slices, spacing, look.scanner)
    slices = slices + artifacts(slices, spacing, look.artifacts, generator)
    if look.scanner.noise_hu:
        added = noise(slices, spacing, look.scanner, generator) / factor**0.5
        slices += added if grid is None else along(added, grid.noise, 0)
    return slices if grid is None else along(slices, grid.back, 0)


def _of_tissue(table: torch.Tensor, tissues: torch.Tensor) -> torch.Tensor:
    return table.index_select(0, tissues.flatten().int()).view(tissues.shape)


def _strided(tissues: torch.Tensor, factor: int) -> torch.Tensor:
    """The tissue in the middle of every block of `factor` voxels a side."""
    depth, height, width = (n // factor * factor for n in tissues.shape)
    half = factor // 2
    return tissues[half:depth:factor, half:height:factor, half:width:factor]


def describe(look: Appearance) -> str:
    """The appearance in words, for a report on a sample."""
    parts = [f"{look.phase} phase" if look.phase in PHASES else "arbitrary contrasts"]
    if look.phase == "none":
        parts = ["no contrast"]
    if look.bolus:
        b = look.bolus
        parts.append(f"{b.time_s:.0f} s after injection, {0.5 * b.dose:.2f} g/kg iodine, {b.kvp} kVp")
    elif look.phase in PHASES[1:]:
        parts.append("tissues drawn on their own")
    names = ("cortex", "medulla", "artery", "vein", "tumor")
    parts.append(", ".join(f"{name} {look.mean_hu[Tissue[name.upper()]]:.0f} HU" for name in names))
    parts.append(f"{look.tumor} tumor" if look.tumor else "")
    s, a = look.scanner, look.artifacts
    kernel = "smooth" if s.sharpness < 0.35 else "medium" if s.sharpness < 0.65 else "sharp"
    parts.append(f"{s.slice_mm:g} mm slices every {s.increment_mm:.3g} mm, {kernel} kernel, noise {s.noise_hu:.0f} HU")
    rare = {"rings": a.ring_hu, "breathing": a.breathing_mm}
    parts.append(", ".join(name for name, value in rare.items() if value))
    return "; ".join(part for part in parts if part)
