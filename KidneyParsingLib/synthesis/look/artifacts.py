"""Errors of reconstruction, cheap look-alikes of them: dark bands, streaks from metal, rings, cupping."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .filters import along, interpolation, normal, uniform

_DENSE_HU = 900.0


@dataclass(frozen=True)
class Artifacts:
    """`hardening`: HU lost per mm of full bone on both sides; `metal`: strength of streaks from what is denser than 900
    HU (0: none, 1: usual); `cupping_hu`: centre against border; `ring_hu`: rings' standard deviation; `breathing_mm`:
    shift between groups of slices."""

    hardening: float = 0.0
    metal: float = 0.0
    cupping_hu: float = 0.0
    ring_hu: float = 0.0
    breathing_mm: float = 0.0


def draw_artifacts(rng: np.random.Generator) -> Artifacts:
    """The artifacts of one scan; most have few."""
    return Artifacts(
        hardening=float(rng.beta(1, 2) * 3),
        metal=float(rng.uniform(0.3, 1.5)),
        cupping_hu=float(rng.normal(0, 3)),
        ring_hu=float(rng.uniform(3, 15)) if rng.random() < 0.02 else 0.0,
        breathing_mm=float(rng.uniform(0.7, 2.5)) if rng.random() < 0.06 else 0.0,
    )


def artifacts(slices: torch.Tensor, spacing: float, plan: Artifacts, generator: torch.Generator) -> torch.Tensor:
    """HU (S, H, W) to be added to the given slices."""
    added = torch.zeros_like(slices)
    if plan.hardening:
        added += _dark_bands(slices, spacing) * -plan.hardening
    if plan.cupping_hu:
        added += _radius(slices, 0.5, 0.5).square() * plan.cupping_hu
    if plan.ring_hu:
        added += _rings(slices, generator) * plan.ring_hu
    if plan.metal:
        _add_metal_streaks(added, slices, spacing, plan.metal, generator)
    return added


def _dark_bands(slices: torch.Tensor, spacing: float) -> torch.Tensor:
    """Millimetres of full bone that lie both left and right of a voxel: the harmonic sum of the two."""
    size = max(1, round(6 / spacing))
    if min(slices.shape[1:]) < 2 * size:
        return torch.zeros_like(slices)
    dense = ((F.avg_pool2d(slices[None], size)[0] - 250) / 1000).clamp(0, 2) * (size * spacing)
    left = dense.cumsum(2)
    right = left[:, :, -1:] - left
    bands = left * right / (left + right + 1)
    for axis in (1, 2):
        bands = along(bands, interpolation(slices.shape[axis], bands.shape[axis], slices.device), axis)
    return bands


def _offsets(slices: torch.Tensor, y: float, x: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances (H, 1) and (1, W) in voxels from row y and column x."""
    rows, columns = (torch.arange(n, device=slices.device, dtype=torch.float32) for n in slices.shape[1:])
    return rows[:, None] - y, columns[None] - x


def _radius(slices: torch.Tensor, y: float, x: float) -> torch.Tensor:
    """(H, W) distance from a point given in shares of height and width; 1 is half the longer side."""
    height, width = slices.shape[1:]
    down, across = _offsets(slices, y * (height - 1), x * (width - 1))
    return torch.hypot(down, across) / (max(height, width) / 2)


def _rings(slices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(H, W) rings around a point near the view's centre, few and thin."""
    bins = max(slices.shape[1:])
    lines = normal((bins,), generator, slices.device) * (normal((bins,), generator, slices.device) > 1.3)
    center = uniform(0.3, 0.7, generator), uniform(0.3, 0.7, generator)
    return lines[(_radius(slices, *center) * (bins / 2)).long().clamp(max=bins - 1)]


def _add_metal_streaks(
    added: torch.Tensor, slices: torch.Tensor, spacing: float, strength: float, generator: torch.Generator
) -> None:
    """Adds bright and dark rays around up to two of the densest things, in the slices where they are."""
    dense = (slices - _DENSE_HU).clamp_min(0) / 1000
    area = dense.sum((1, 2)) * spacing**2
    if float(area.max()) < 4:
        return
    points = dense.nonzero()
    seen = area > 0.5
    height = (strength * 6 * area[seen].sqrt()).clamp(max=350)
    for _ in range(2):
        _, y, x = points[int(uniform(0, len(points) - 1, generator))].tolist()
        down, across = _offsets(slices, y, x)
        angles = torch.atan2(down, across) * (0.5 / math.pi) + 0.5
        rays = normal((128,), generator, slices.device).pow(3) / 3
        radius_mm = torch.hypot(down, across) * spacing
        rays = rays[(angles * 127).long()] / (1 + radius_mm / 30)
        added[seen] += height[:, None, None] * 0.7 * rays
