"""A CT with its labels on the grids that realism is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import SimpleITK as sitk

from ..inference.grid import Grid, bounds
from ..inference.resampling import resampled
from ..volumes.geometry import affine_of_image, image_from_array
from ..volumes.volume import Volume

# The grid of the small released networks, and the in-plane grid on which noise is compared.
COMMON_MM = 2.0
NOISE_MM = 1.5


@dataclass(frozen=True)
class CtScan:
    """`hu` int16 and `labels` uint8 or None (1 kidney, 2 tumor, 3 artery, 4 vein, 5 ureter, 6 cyst, 255 ignored).

    Arrays are (z, y, x), upright (z superior, y posterior, x left); `spacing` is (z, y, x) in mm; `phase` is the
    contrast phase's name.
    """

    name: str
    phase: str
    hu: np.ndarray
    spacing: tuple[float, float, float]
    labels: np.ndarray | None = None

    @cached_property
    def common(self) -> np.ndarray:
        """float32 HU (z, y, x) at `COMMON_MM` mm, resampled as for a network."""
        return self._at((COMMON_MM,) * 3)

    @cached_property
    def common_labels(self) -> np.ndarray | None:
        """The labels on the grid of `common`, nearest voxel; None where there are none."""
        if self.labels is None:
            return None
        steps = np.full(3, COMMON_MM) / self.spacing
        index = [
            np.clip(((np.arange(n) + 0.5) * step).astype(int), 0, m - 1)
            for n, step, m in zip(self.common.shape, steps, self.labels.shape, strict=True)
        ]
        return self.labels[np.ix_(*index)]

    @cached_property
    def slices(self) -> np.ndarray:
        """float32 HU (z, y, x) with the scan's own slices and `NOISE_MM` mm in-plane."""
        return self._at((self.spacing[0], NOISE_MM, NOISE_MM))

    def _at(self, spacing: tuple[float, float, float]) -> np.ndarray:
        volume = Volume(self.hu, np.diag([*self.spacing[::-1], 1.0]))
        return resampled(volume, Grid.over(bounds(volume), spacing))


def upright_scan(name: str, phase: str, volume: Volume, labels: np.ndarray | None = None) -> CtScan:
    """A scan of any axis-aligned orientation, with labels on its grid, turned upright."""
    image = sitk.DICOMOrient(image_from_array(volume.array, volume.affine), "LPS")
    turned = None
    if labels is not None:
        turned = sitk.GetArrayFromImage(sitk.DICOMOrient(image_from_array(labels, volume.affine), "LPS"))
    spacing = np.linalg.norm(affine_of_image(image)[:3, :3], axis=0)[::-1]
    return CtScan(name, phase, sitk.GetArrayFromImage(image), tuple(float(s) for s in spacing), turned)
