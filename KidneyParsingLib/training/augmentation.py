"""Random changes to training patches: turned, scaled, mirrored, bent; noisier, brighter. One sampling does the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..synthesis.fields import rotation
from .restyle import rephased, with_pasted_lesion

_AIR_HU = -1024.0
_BUMP_MM = 32.0
_GAMMA_HU = (-200.0, 500.0)


@dataclass(frozen=True)
class Augmentation:
    """Ranges that every sample's changes are drawn from; as it is made by default, nothing is changed.

    A share `turned` of the samples is turned by up to `rotate_degrees` about each axis, scaled by a factor in `scale`
    (drawn evenly by its logarithm) and bent by displacements of standard deviation `elastic_mm` at control points 32 mm
    apart; the rest keeps its voxels as they are, as scans do at inference. Each axis of `flip_axes` (0 z, 1 y, 2 x) is
    mirrored in every other sample. HU are multiplied by 1 +- `contrast` and moved by +- `brightness_hu`; those between
    -200 and 500 follow a gamma curve of exponent 1 +- `gamma`; Gaussian noise of standard deviation up to `noise_hu` is
    added. CT has absolute units, so these are small.

    A share `rephased` of the samples has its structures in another contrast phase and a share `lesions` a lesion pasted
    into a kidney (see `restyle`).

    The kinds are those of nnU-Net (10.1038/s41592-020-01008-z) and BA-Net (section 4.1); BA-Net gives no sizes.
    """

    rotate_degrees: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    elastic_mm: float = 0.0
    turned: float = 0.6
    flip_axes: tuple[int, ...] = ()
    contrast: float = 0.0
    brightness_hu: float = 0.0
    gamma: float = 0.0
    noise_hu: float = 0.0
    rephased: float = 0.0
    lesions: float = 0.0

    @property
    def moves_voxels(self) -> bool:
        """Whether anything is turned, scaled or bent."""
        return bool(self.rotate_degrees or self.elastic_mm) or self.scale != (1.0, 1.0)

    @property
    def changes_hu(self) -> bool:
        """Whether HU are changed."""
        return bool(self.contrast or self.brightness_hu or self.gamma or self.noise_hu)


NONE = Augmentation()


def augmented_crop(
    hu: np.ndarray,
    labels: np.ndarray,
    center: np.ndarray,
    patch: tuple[int, int, int],
    augmentation: Augmentation,
    rng: np.random.Generator,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> tuple[torch.Tensor, torch.Tensor]:
    """A patch of `hu` and `labels` (z, y, x) whose voxel n // 2 lies on the voxel `center`, before mirroring.

    Returns HU float32, interpolated linearly, and labels int64 of the nearest voxel; outside the scan is air and label
    0. `spacing` (z, y, x) is that of the scan, in mm: turning keeps shapes on unequal spacings too. Only the block that
    the patch touches is read from `hu` and `labels`.
    """
    if augmentation.moves_voxels and rng.random() < augmentation.turned:
        image, target = _turned(hu, labels, center, _points(patch, np.asarray(spacing), augmentation, rng))
    else:
        image, target = (_cut(a, center, patch, fill) for a, fill in ((hu, _AIR_HU), (labels, 0)))
    axes = [axis for axis in augmentation.flip_axes if rng.random() < 0.5]
    image, target = _restyled(image.flip(axes), target.flip(axes).long(), augmentation, rng, spacing)
    return _recolored(image, augmentation, rng), target


def _restyled(
    image: torch.Tensor,
    target: torch.Tensor,
    augmentation: Augmentation,
    rng: np.random.Generator,
    spacing: tuple[float, float, float],
) -> tuple[torch.Tensor, torch.Tensor]:
    if augmentation.lesions and rng.random() < augmentation.lesions:
        image, target = with_pasted_lesion(image, target, rng, spacing)
    if augmentation.rephased and rng.random() < augmentation.rephased:
        image = rephased(image, target, rng)
    return image, target


def _cut(array: np.ndarray, center: np.ndarray, patch: tuple[int, ...], fill: float) -> torch.Tensor:
    low = np.rint(center).astype(int) - np.asarray(patch) // 2
    start, stop = np.clip(low, 0, array.shape), np.clip(low + patch, 0, array.shape)
    block = torch.from_numpy(array[tuple(map(slice, start, stop))].astype(np.float32))
    after = np.asarray(patch) - (stop - low)
    padding = [int(n) for axis in (2, 1, 0) for n in ((start - low)[axis], after[axis])]
    return F.pad(block, padding, value=fill)


def _points(
    patch: tuple[int, ...], spacing: np.ndarray, augmentation: Augmentation, rng: np.random.Generator
) -> list[torch.Tensor]:
    """Offsets (D, H, W), in voxels of the scan from the patch's middle, of what every voxel shows: along z, y, x."""
    turn = rotation(rng.uniform(-1, 1, 3) * augmentation.rotate_degrees)
    zoom = np.exp(rng.uniform(*np.log(augmentation.scale)))
    matrix = torch.from_numpy(turn / zoom * spacing / spacing[:, None]).float()
    z, y, x = (torch.arange(n, dtype=torch.float32) - n // 2 for n in patch)
    bent = _displacements(patch, spacing, augmentation.elastic_mm, rng)
    return [bent[i] + (row[0] * z)[:, None, None] + (row[1] * y)[:, None] + row[2] * x for i, row in enumerate(matrix)]


def _displacements(
    patch: tuple[int, ...], spacing: np.ndarray, amplitude: float, rng: np.random.Generator
) -> torch.Tensor:
    """Smooth random displacements (3, D, H, W) in voxels."""
    knots = [max(2, int(np.ceil(n * mm / _BUMP_MM)) + 1) for n, mm in zip(patch, spacing, strict=True)]
    coarse = rng.standard_normal((3, *knots), dtype=np.float32) * np.float32(amplitude)
    coarse /= spacing.astype(np.float32)[:, None, None, None]
    return F.interpolate(torch.from_numpy(coarse)[None], size=patch, mode="trilinear", align_corners=True)[0]


def _turned(
    hu: np.ndarray, labels: np.ndarray, center: np.ndarray, offsets: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """HU (linear) and labels (nearest) at `center` + `offsets`, from the block of the scan that they span."""
    spans = [(float(o.min() + c), float(o.max() + c)) for o, c in zip(offsets, center, strict=True)]
    window = tuple(_span(low, high, n) for (low, high), n in zip(spans, hu.shape, strict=True))
    scaled = [
        (o + (float(c) - w.start)) * (2 / (w.stop - w.start - 1)) - 1
        for o, c, w in zip(offsets, center, window, strict=True)
    ]
    grid = torch.stack(scaled[::-1], -1)[None]
    # Zero is what grid_sample sees outside, so air must be zero meanwhile.
    image = torch.from_numpy(hu[window].astype(np.float32))[None, None] - _AIR_HU
    target = torch.from_numpy(labels[window].astype(np.float32))[None, None]
    image = F.grid_sample(image, grid, mode="bilinear", align_corners=True)[0, 0] + _AIR_HU
    return image, F.grid_sample(target, grid, mode="nearest", align_corners=True)[0, 0]


def _span(low: float, high: float, length: int) -> slice:
    """The voxels around low .. high, at least two of them, within an axis of `length`."""
    start = min(max(int(np.floor(low)) - 1, 0), length - 2)
    return slice(start, max(start + 2, min(int(np.ceil(high)) + 2, length)))


def _recolored(hu: torch.Tensor, augmentation: Augmentation, rng: np.random.Generator) -> torch.Tensor:
    if not augmentation.changes_hu:
        return hu
    contrast, brightness, gamma = rng.uniform(-1, 1, 3) * (
        augmentation.contrast, augmentation.brightness_hu, augmentation.gamma
    )  # fmt: skip
    hu = hu * (1 + contrast) + brightness
    low, high = _GAMMA_HU
    inside = ((hu - low) / (high - low)).clamp(0, 1)
    hu = hu + (high - low) * (inside ** (1 + gamma) - inside)
    noise = torch.from_numpy(rng.standard_normal(tuple(hu.shape), dtype=np.float32))
    return (hu + noise * float(rng.uniform(0, augmentation.noise_hu))).clamp_min(_AIR_HU)
