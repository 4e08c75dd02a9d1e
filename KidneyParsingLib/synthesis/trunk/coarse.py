"""A coarse grid over a fine one: distances and noise are made there, at a fraction of the cost, and brought back."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from ..fields import smooth_noise


class CoarseGrid:
    """Cells of `factor` fine voxels a side over a fine grid of `shape` (z, y, x) and `spacing` mm; `mm` is a cell's
    side."""

    def __init__(self, shape: tuple[int, ...], spacing: float, cell_mm: float = 4.5) -> None:
        self.fine_shape = tuple(shape)
        self.factor = max(1, round(cell_mm / spacing))
        self.mm = self.factor * spacing
        self.shape = tuple(-(-n // self.factor) for n in shape)

    def share(self, mask: np.ndarray) -> np.ndarray:
        """Float32 share of every cell that a fine mask fills."""
        fine = torch.from_numpy(mask.astype(np.float32))[None]
        return F.avg_pool3d(fine, self.factor, ceil_mode=True, count_include_pad=False)[0].numpy()

    def up(self, field: np.ndarray) -> np.ndarray:
        """A coarse field on the fine grid, float32, trilinear."""
        values = torch.from_numpy(np.ascontiguousarray(field, np.float32))[None, None]
        fine = F.interpolate(values, scale_factor=self.factor, mode="trilinear", align_corners=False)[0, 0].numpy()
        return fine[tuple(slice(n) for n in self.fine_shape)]

    def away(self, cells: np.ndarray) -> np.ndarray:
        """Distance of every cell to the nearest one set, mm (large where none is set)."""
        if not cells.any():
            return np.full(self.shape, 1e4, np.float32)
        return (ndimage.distance_transform_edt(~cells) * self.mm).astype(np.float32)

    def signed(self, cells: np.ndarray) -> np.ndarray:
        """Distance to the border of `cells` in mm, above zero inside."""
        inner = ndimage.distance_transform_edt(cells) - 0.5
        outer = self.away(cells) / self.mm - 0.5
        return (np.where(cells, inner, -outer) * self.mm).astype(np.float32)

    def noise(self, cell_mm: float, rng: np.random.Generator) -> np.ndarray:
        """Coarse float32 noise of unit variance with bumps of `cell_mm`, without kinks."""
        field = ndimage.gaussian_filter(smooth_noise(self.shape, cell_mm / self.mm, rng), 0.25 * cell_mm / self.mm)
        return field / max(float(field.std()), 1e-6)

    def fine_noise(self, cell_mm: float, rng: np.random.Generator) -> np.ndarray:
        """The same on the fine grid; bumps narrower than a few cells are made there."""
        if cell_mm > 3 * self.mm:
            return self.up(self.noise(cell_mm, rng))
        return smooth_noise(self.fine_shape, cell_mm * self.factor / self.mm, rng)
