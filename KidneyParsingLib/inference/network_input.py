"""What a network is given: the grid that its config asks for and the CT on that grid. Training and inference both
come here, so that a network runs on what it was trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..networks.configs import NetworkConfig
from ..volumes.volume import Volume
from .grid import Box, Grid, bounds
from .resampling import resampled


def network_spacing(volume_or_box: Volume | Box, config: NetworkConfig) -> tuple[float, float, float]:
    """Spacing (z, y, x) in mm: the config's, or along its resized axes the extent of the volume (or box) divided by the
    wanted number of voxels."""
    box = _box(volume_or_box)
    extent = (box.high - box.low)[::-1]
    pairs = zip(config.resize, extent, config.spacing_mm, strict=True)
    return tuple(float(mm / count) if count else float(spacing) for count, mm, spacing in pairs)


def network_grid(volume_or_box: Volume | Box, config: NetworkConfig) -> Grid:
    """The grid over a volume, or a box of it, at `network_spacing`; resized axes have exactly the wanted size."""
    box = _box(volume_or_box)
    grid = Grid.over(box, network_spacing(box, config))
    # Rounding may give an axis that is divided evenly one voxel more.
    size = tuple(int(count) if count else n for count, n in zip(config.resize, grid.size, strict=True))
    return replace(grid, size=size)


def network_input(volume: Volume, grid: Grid, config: NetworkConfig) -> np.ndarray:
    """The CT on a grid, float32 HU (z, y, x), median-filtered if the config says so; air outside."""
    return median_filtered(resampled(volume, grid), config)


def median_filtered(hu: np.ndarray, config: NetworkConfig) -> np.ndarray:
    """HU (z, y, x) after the 3x3x3 median filter of TuNet (section 3.2) if `config.median`, else as they are.

    Paper silent on when; we filter on the network's grid and repeat its border voxels outwards.
    """
    if not config.median:
        return hu
    from scipy import ndimage  # takes long to import, and only TuNet needs it

    return ndimage.median_filter(hu, 3, mode="nearest")


def _box(volume_or_box: Volume | Box) -> Box:
    return volume_or_box if isinstance(volume_or_box, Box) else bounds(volume_or_box)
