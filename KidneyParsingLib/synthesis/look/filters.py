"""Linear operators and random fields on volumes, in torch.

An operator along one axis is a small dense matrix: one matrix product costs less than a convolution of a few taps here,
and interpolation, slice averaging and blur are all the same kind of thing. Lengths are in voxels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def normal(shape: Sequence[int], generator: torch.Generator, device: torch.device) -> torch.Tensor:
    """Standard normal numbers on `device`, drawn where the generator lives."""
    return torch.randn(tuple(shape), generator=generator, device=generator.device).to(device)


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """One number between `low` and `high`."""
    return low + (high - low) * torch.rand((), generator=generator, device=generator.device).item()


def along(volume: torch.Tensor, matrix: torch.Tensor, axis: int) -> torch.Tensor:
    """`matrix` (M, N) applied along axis 0, 1 or 2 of (D, H, W), which has N voxels there and M afterwards."""
    if axis == 0:
        return (matrix @ volume.flatten(1)).view(len(matrix), *volume.shape[1:])
    return matrix @ volume if axis == 1 else volume @ matrix.T


def interpolation(size: int, knots: int, device: torch.device) -> torch.Tensor:
    """(size, knots) matrix of linear interpolation, the first and last knot on the first and last voxel."""
    return hat(torch.linspace(0, knots - 1, size, device=device), knots)


def hat(positions: torch.Tensor, size: int) -> torch.Tensor:
    """(len(positions), size) matrix that interpolates `size` samples linearly at positions; the ends go on beyond."""
    grid = torch.arange(size, device=positions.device)
    return (1 - (positions.clamp(0, size - 1)[:, None] - grid).abs()).clamp_min(0)


def gaussian(size: int, sigma: float, device: torch.device) -> torch.Tensor:
    """(size, size) matrix of a Gaussian blur whose weights sum to 1 at the border too."""
    grid = torch.arange(size, device=device, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((grid[:, None] - grid) / max(sigma, 0.05)) ** 2)
    return weights / weights.sum(1, keepdim=True)


def blurred_in_plane(volume: torch.Tensor, sigma: float) -> torch.Tensor:
    """(D, H, W) blurred along y and x; a sigma below 0.15 voxels changes nothing on a grid."""
    if sigma < 0.15:
        return volume
    for axis in (1, 2):
        volume = along(volume, gaussian(volume.shape[axis], sigma, volume.device), axis)
    return volume


def smooth_field(
    shape: Sequence[int], cell: float | Sequence[float], generator: torch.Generator, device: torch.device
) -> torch.Tensor:
    """A random field (D, H, W) of standard deviation 1 that varies over `cell` voxels (one number, or z, y, x)."""
    cells = (cell,) * 3 if isinstance(cell, (int, float)) else cell
    knots = [max(2, round(n / c) + 1) for n, c in zip(shape, cells, strict=True)]
    field = normal(knots, generator, device)
    # Short axes grow last, so that the intermediate products stay small.
    for axis in (2, 1, 0):
        field = along(field, interpolation(shape[axis], knots[axis], device), axis)
    return field / field.std().clamp_min(1e-6)
