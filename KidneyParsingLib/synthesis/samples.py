"""Training samples drawn from made anatomies: a cropped, turned, recoloured patch and its labels; the second
look's with more lesions.

A sample depends on seed, index and the folder's anatomies alone, so an interrupted training sees the same samples when
it goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from ..errors import InputError
from ..inference.network_input import median_filtered
from ..networks.configs import NetworkConfig, class_of_label, normalized
from ..training.data.sampling import as_sample, draw_center, moved_inside
from .fields import rotation
from .implants import implant_lesions
from .look.appearance import draw_appearance, paint
from .store import load_anatomy, stored_anatomies
from .tissues import KIDNEY_TISSUES, TUMOR_TISSUES, Tissue, locator_lookup, structure_lookup

if TYPE_CHECKING:
    from ..training.schemas import Schema

# What the parsing network's patches are centred on, and how often: kidneys; lesions, which are learned last; vessels;
# ureters; what looks like them; anything.
_CENTERS = (
    (KIDNEY_TISSUES, 0.28),
    ((*TUMOR_TISSUES, Tissue.CYST), 0.24),
    ((Tissue.ARTERY, Tissue.VEIN, Tissue.THROMBUS), 0.10),
    ((Tissue.URINE, Tissue.STONE, Tissue.STENT), 0.12),
    ((Tissue.LIVER, Tissue.SPLEEN, Tissue.STOMACH, Tissue.FLUID, Tissue.PANCREAS), 0.08),
    ((Tissue.BOWEL_WALL, Tissue.BOWEL_CONTRAST, Tissue.BOWEL_FLUID, Tissue.STOOL), 0.13),
    ((Tissue.MUSCLE, Tissue.FAT), 0.05),
)
# The second look's: kidneys, more often their lesions, and ureters.
_SECOND_LOOK_CENTERS = (
    (KIDNEY_TISSUES, 0.25),
    ((*TUMOR_TISSUES, Tissue.CYST), 0.5),
    ((Tissue.URINE, Tissue.STONE, Tissue.STENT), 0.25),
)
# The locator's patches are centred near kidneys, but for some that show none.
_LOCATOR_CENTERS = ((KIDNEY_TISSUES, 0.8), ((Tissue.MUSCLE, Tissue.FAT, Tissue.LUNG), 0.2))
_NARROW_SHARE = 0.1
# Of the second look's patches so many may be given more lesions than their anatomy has; two thirds of them get some.
_IMPLANTED_SHARE = 0.5
# Voxels that are painted for one of the network's, an axis, at most.
_FINEST = 2


class MadeSamples(Dataset):
    """`length` samples for one network: "image" (1, D, H, W) float32 as the network gets it, "labels" (D, H, W) int64
    class indices, and the schema's extra maps.

    With `soft` a sample also has its "shares" (C, D, H, W) float32: how much of every voxel each class fills, as far as
    the anatomies are finer than the network's grid.

    With `paint_later` the image is not painted yet: a sample has its "tissues" (D, H, W) uint8 and a "look" instead,
    and `finished` paints a batch of them where the batch lies, say on a GPU.

    With `close_up` patches show kidneys, most of them a lesion or ureter, and half of them may be given more lesions.

    `anatomies` is a folder filled by `synthesis.store`; networks with the locator's classes get its labels. With
    `schema` it says what patches are centred on, else a mix that suits the classes. Raises
    InputError if the config's grid is of unequal spacing or resized: made anatomies are painted on cubic voxels.
    """

    def __init__(
        self,
        anatomies: Path,
        config: NetworkConfig,
        length: int,
        seed: int = 0,
        schema: Schema | None = None,
        paint_later: bool = False,
        soft: bool = False,
        close_up: bool = False,
    ) -> None:
        if len(set(config.spacing_mm)) > 1 or any(config.resize):
            raise InputError(
                f"Made anatomies cannot be painted on the grid of {config.network} in this configuration; make scans "
                "with `kidneyparsing synthesize` and train on them with --data ours."
            )
        self.paths = stored_anatomies(anatomies)
        self.config = config
        self.length = length
        self.seed = seed
        self.schema = schema
        self.soft = soft
        self.paint_later = paint_later and not config.median  # the filter is no GPU's
        self.is_locator = "spine" in config.classes
        self.close_up = close_up
        # The aorta lies left of the cava: often that alone tells them apart. Liver and spleen have sides too.
        self.may_mirror = {"spine", "artery", "vein"}.isdisjoint(config.classes)
        self.lookup = torch.from_numpy(locator_lookup() if self.is_locator else _class_lookup(config.classes))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng((self.seed, index))
        tissues, spacing = _cached(self.paths[rng.integers(len(self.paths))])
        factor = self._factor(spacing)
        zoom = self.config.spacing_mm[0] / factor / spacing
        size = tuple(n * factor for n in self.config.patch)
        center = self._center(tissues, factor * zoom, rng)
        patch = _cropped(tissues, center, size, self._turn(rng) * zoom)
        if self.is_locator or rng.random() < _NARROW_SHARE:
            _limit_view(patch, rng)
        if self.close_up and rng.random() < _IMPLANTED_SHARE:
            implant_lesions(patch.numpy(), self.config.spacing_mm[0] / factor, rng)
        look = int(rng.integers(2**62))
        shares = _shares(self.lookup[patch.long()], factor, len(self.config.classes))
        labels = _largest(shares)
        soft = {"shares": shares} if self.soft else {}
        if self.paint_later:
            sample = as_sample(torch.zeros(labels.shape), labels, self.config, self.schema, rng)
            return sample | soft | {"tissues": patch, "factor": torch.tensor(factor), "look": torch.tensor(look)}
        return as_sample(self._image(patch, factor, look), labels, self.config, self.schema, rng) | soft

    def _factor(self, spacing: float) -> int:
        """How many voxels that are painted make one of the network's, an axis: as fine as the anatomy is, up to two,
        which are enough for partial volume."""
        return min(max(1, round(self.config.spacing_mm[0] / spacing)), _FINEST)

    def _image(self, patch: torch.Tensor, factor: int, look: int) -> torch.Tensor:
        """HU (D, H, W) of a patch of tissues, on the patch's device; `look` is the seed of its appearance."""
        appearance = draw_appearance(np.random.default_rng(look))
        generator = torch.Generator(patch.device).manual_seed(look)
        hu = paint(patch, self.config.spacing_mm[0] / factor, appearance, generator, factor)
        return torch.from_numpy(median_filtered(hu.numpy(), self.config)) if self.config.median else hu

    def nothing_to_paint(self) -> dict[str, torch.Tensor]:
        """What a sample of another source needs beside its image, to lie in a batch with samples to be painted."""
        factor = self._factor(_cached(self.paths[0])[1])
        tissues = torch.zeros(tuple(n * factor for n in self.config.patch), dtype=torch.uint8)
        return {"tissues": tissues, "factor": torch.tensor(factor), "look": torch.tensor(-1)}

    def finished(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The batch with its images painted, if they are not yet; other samples in it stay as they are."""
        if "tissues" not in batch:
            return batch
        image = batch["image"].clone()
        for index, look in enumerate(batch["look"].tolist()):
            if look >= 0:
                hu = self._image(batch["tissues"][index], int(batch["factor"][index]), look)
                image[index, 0] = normalized(hu, self.config)
        unpainted = ("tissues", "factor", "look")
        return {name: value for name, value in batch.items() if name not in unpainted} | {"image": image}

    def _center(self, tissues: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
        """Where the patch's middle lies, in voxels of the anatomy; a voxel of the patch is `factor` of them wide."""
        if self.schema is None:
            return self._mixed_center(tissues, factor, rng)
        scan = _MadeScan(tissues, self.lookup.numpy())
        center = draw_center(self.schema, self.config.classes, scan, rng)
        return moved_inside(center, tissues.shape, tuple(round(n * factor) for n in self.config.patch))

    def _mixed_center(self, tissues: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
        """Near a voxel of what the sample shall show; near a kidney, or in the middle, where the anatomy has none."""
        centers = self._centers()
        kinds = centers[rng.choice(len(centers), p=[share for _, share in centers])][0]
        points = _points(tissues, kinds)
        if not len(points):
            points = _points(tissues, KIDNEY_TISSUES)
        if not len(points):
            return np.array(tissues.shape) / 2
        reach = np.array(self.config.patch) * factor * (0.25 if self.is_locator else 0.2)
        return points[rng.integers(len(points))] + rng.uniform(-reach, reach)

    def _centers(self) -> tuple[tuple[tuple[int, ...], float], ...]:
        if self.is_locator:
            return _LOCATOR_CENTERS
        return _SECOND_LOOK_CENTERS if self.close_up else _CENTERS

    def _turn(self, rng: np.random.Generator) -> np.ndarray:
        angles = rng.normal(0, 4 if self.is_locator else 9, 3)
        scale = rng.uniform(0.8, 1.2) * rng.uniform(0.93, 1.07, 3)
        if self.may_mirror and rng.random() < 0.5:
            scale = scale * (1, 1, -1)
        return rotation(angles) / scale


@dataclass(frozen=True)
class _MadeScan:
    """A made anatomy's voxels by class; `lookup` is the class of every tissue. The air around the body is no background
    to learn from."""

    tissues: np.ndarray
    lookup: np.ndarray

    def class_point(self, index: int, rng: np.random.Generator) -> np.ndarray | None:
        kinds = tuple(int(t) for t in np.flatnonzero(self.lookup == index) if t != Tissue.AIR)
        points = _points(self.tissues, kinds)
        if not len(points):  # smaller than the grid of points that are looked at
            points = np.argwhere(np.isin(self.tissues, kinds))
        return points[rng.integers(len(points))] if len(points) else None

    def centerline_point(self, index: int, rng: np.random.Generator) -> np.ndarray | None:
        return self.class_point(index, rng)

    def any_point(self, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(self.tissues.shape)


def _class_lookup(classes: tuple[str, ...]) -> np.ndarray:
    """uint8 table from tissue to class index."""
    return np.array(class_of_label(classes), np.uint8)[structure_lookup()]


@lru_cache(maxsize=48)
def _cached(path: Path) -> tuple[np.ndarray, float]:
    return load_anatomy(path)


def _shares(labels: torch.Tensor, factor: int, num_classes: int) -> torch.Tensor:
    """Each class's share (C, D, H, W) of the blocks of `factor` voxels a side."""
    steps = range(factor)
    parts = [labels[z::factor, y::factor, x::factor].contiguous() for z in steps for y in steps for x in steps]
    counts = torch.zeros((num_classes, *parts[0].shape), dtype=torch.uint8)
    for part in parts:  # bytes, one voxel of every block at a time: several times faster than pooling masks
        for count, index in zip(counts, range(num_classes), strict=True):
            count += part == index
    return counts.float() / len(parts)


def _largest(shares: torch.Tensor) -> torch.Tensor:
    """The first class (D, H, W; int64) of the largest share (C, D, H, W): `argmax`, but several times faster."""
    best, labels = shares[0].clone(), torch.zeros(shares.shape[1:], dtype=torch.int64)
    for index, share in enumerate(shares):
        labels.masked_fill_(share > best, index)
        torch.maximum(best, share, out=best)
    return labels


def _points(tissues: np.ndarray, kinds: tuple[int, ...]) -> np.ndarray:
    """Positions of some voxels of the given tissues, on every second slice, row and column."""
    wanted = np.zeros(256, bool)
    wanted[list(kinds)] = True
    return np.argwhere(wanted[tissues[::2, ::2, ::2]]) * 2  # a table: several times faster than isin


def _cropped(tissues: np.ndarray, center: np.ndarray, size: tuple[int, ...], matrix: np.ndarray) -> torch.Tensor:
    """uint8 patch of `size` around `center` after the 3x3 `matrix` (output to input offsets); AIR beyond the border."""
    z, y, x = (torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in size)
    inside, flat = torch.ones(size, dtype=torch.bool), torch.zeros(size, dtype=torch.int32)
    for start, (by_z, by_y, by_x), count in zip(center.tolist(), matrix.tolist(), tissues.shape, strict=True):
        index = (by_z * z + start)[:, None, None] + (by_y * y)[:, None] + by_x * x
        index = index.round_().to(torch.int32)
        inside &= (index >= 0) & (index < count)
        flat = flat * count + index.clamp_(0, count - 1)
    return torch.from_numpy(tissues).flatten()[flat.flatten()].view(size) * inside


def _limit_view(patch: torch.Tensor, rng: np.random.Generator) -> None:
    """Blanks what lies beyond a random field of view: a few slices, a narrow circle, or nothing."""
    depth, height, width = patch.shape
    low, high = np.sort(rng.uniform(-0.5, 1.5, 2).clip(0, 1) * depth).astype(int)
    if high - low > depth // 3:
        patch[:low] = Tissue.AIR
        patch[high:] = Tissue.AIR
    if rng.random() < 0.35:
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        shift = torch.from_numpy(rng.uniform(-0.15, 0.15, 2) * (height, width))
        radius = rng.uniform(0.32, 0.6) * width
        if rng.random() < 0.5:
            outside = ((y - height / 2 - shift[0]).abs() > radius * 0.8) | ((x - width / 2 - shift[1]).abs() > radius)
        else:
            outside = (y - height / 2 - shift[0]) ** 2 + (x - width / 2 - shift[1]) ** 2 > radius**2
        patch[:, outside] = Tissue.AIR
