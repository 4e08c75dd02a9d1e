"""What a scanner makes of a patient: slices of some thickness, a reconstruction kernel, and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .filters import along, blurred_in_plane, gaussian, hat, interpolation, normal, uniform

# Streaks grow with the path of the rays through the body, and are as strong as drawn at this path (our choice).
_DIMMING_PER_MM = 0.006
_THICK_MM = 300.0


@dataclass(frozen=True)
class Scanner:
    """Settings of one scan; the defaults are those of an ideal one.

    `blur_mm` is the standard deviation of the kernel's blur in plane, `overshoot` its edge enhancement (0: none),
    `sharpness` (0: smooth, 1: sharp) sets the noise's grain and `low_noise` how much noise of low frequency is left.
    `slice_mm` thick slices lie every `increment_mm`. `noise_hu` is the noise's standard deviation inside the body,
    `center` how much it grows towards the centre (per mm of body), `streaks` the horizontal streaks' share of it.
    """

    blur_mm: float = 0.0
    overshoot: float = 0.0
    sharpness: float = 0.5
    low_noise: float = 0.3
    slice_mm: float = 0.0
    increment_mm: float = 0.0
    noise_hu: float = 0.0
    center: float = 0.0
    streaks: float = 0.0


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """The settings of one scan."""
    sharpness = float(rng.beta(1.3, 1.8))
    slice_mm = float(
        rng.choice((0.6, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0), p=(0.06, 0.16, 0.1, 0.13, 0.1, 0.17, 0.06, 0.22))
    )
    noise = np.exp(rng.normal(np.log(9), 0.5)) * (1 + 0.5 * sharpness)
    return Scanner(
        blur_mm=float(rng.uniform(0.55, 0.95) + (1 - sharpness) * rng.uniform(0, 0.7)),
        overshoot=float(max(0.0, sharpness - 0.25) * rng.uniform(0.2, 1.3)),
        sharpness=sharpness,
        low_noise=float(rng.uniform(0.1, 0.7)),
        slice_mm=slice_mm,
        increment_mm=slice_mm * float(rng.choice((1.0, 0.8, 0.5), p=(0.7, 0.15, 0.15))),
        noise_hu=float(np.clip(noise, 3, 40)),
        center=float(rng.uniform(0, 0.006)),
        streaks=float(rng.beta(1, 3) * 0.6),
    )


@dataclass(frozen=True)
class SliceGrid:
    """Matrices from D voxels along z to S slices, `sample` (S, D), and back by linear interpolation, `back` (D, S);
    `noise` (S, S) lets overlapping slices share noise, and makes up for what the way back takes away of it."""

    sample: torch.Tensor
    back: torch.Tensor
    noise: torch.Tensor


def slice_grid(
    depth: int,
    spacing: float,
    scanner: Scanner,
    breathing_mm: float,
    generator: torch.Generator,
    device: torch.device,
) -> SliceGrid | None:
    """The slices of a scan of `depth` voxels, the first at random; None where they are the voxels themselves.

    The slice sensitivity profile is a box of the slice's thickness. Slices finer than the voxels are the voxels.
    With `breathing_mm` groups of slices are shifted along z by that standard deviation.
    """
    thickness, step = (max(mm / spacing, 1.0) for mm in (scanner.slice_mm, scanner.increment_mm))
    if thickness == step == 1 and not breathing_mm:
        return None
    start = uniform(0, 1, generator) * (step - 1)
    count = max(2, int((depth - 1 - start) / step) + 2)
    positions = start + step * torch.arange(count, device=device)
    shifts = torch.zeros(count, device=device)
    if breathing_mm:
        groups = normal((max(2, int(depth * spacing / 15)),), generator, device)
        shifts = groups[torch.linspace(0, len(groups) - 0.01, count, device=device).long()] * (breathing_mm / spacing)
    seen = (positions + shifts).clamp(0, depth - 1)
    away = (seen[:, None] - torch.arange(depth, device=device)).abs()
    weights = ((thickness + 1) / 2 - away).clamp(0, 1)
    back = hat((torch.arange(depth, device=device) - start) / step, count)
    # The standard deviation of a box is 0.29 of its width.
    shared = gaussian(count, 0.29 * thickness / step if thickness > step else 0.0, device)
    kept = (back @ shared).square().sum(1).mean().sqrt()
    return SliceGrid(weights / weights.sum(1, keepdim=True), back, shared / kept)


def reconstructed(slices: torch.Tensor, spacing: float, scanner: Scanner) -> torch.Tensor:
    """Slices (S, H, W) blurred, and their edges enhanced, as by the scanner's kernel."""
    smooth = blurred_in_plane(slices, scanner.blur_mm / spacing)
    if scanner.overshoot <= 0:
        return smooth
    return smooth + scanner.overshoot * (smooth - blurred_in_plane(smooth, 1.6 / spacing))


def noise(slices: torch.Tensor, spacing: float, scanner: Scanner, generator: torch.Generator) -> torch.Tensor:
    """Noise (S, H, W) of the given slices, HU: with a spectrum that peaks at a frequency set by the kernel
    (Kijewski and Judy, 10.1088/0031-9155/32/5/003), more where rays cross more body, in rows where they cross most."""
    sigma = (1.0 - 0.65 * scanner.sharpness) / spacing
    fine = blurred_in_plane(normal(slices.shape, generator, slices.device), sigma)
    coarse = blurred_in_plane(fine, 2 * sigma)
    grain = fine - (1 - scanner.low_noise) * coarse
    grain /= grain.std().clamp_min(1e-6)
    if not (scanner.center or scanner.streaks):
        return grain * scanner.noise_hu
    density = (slices / 1000 + 1).clamp(0, 2.5)
    across, down = density.sum(2, keepdim=True) * spacing, density.sum(1, keepdim=True) * spacing
    gain = torch.exp(across * (scanner.center / 2)) * torch.exp(down * (scanner.center / 2))
    gain /= ((gain.square() * density).sum() / density.sum().clamp_min(1)).sqrt().clamp_min(1e-6)
    rows = normal((*slices.shape[:2], 3), generator, slices.device)
    rows *= scanner.streaks * torch.exp((across - _THICK_MM) * _DIMMING_PER_MM).clamp(max=2)
    streaks = along(rows, interpolation(slices.shape[2], 3, slices.device), 2)
    return (grain.mul_(gain) + streaks) * scanner.noise_hu
