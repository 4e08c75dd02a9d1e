"""Training samples cut from stored scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from ..networks.configs import MAYBE_NEIGHBOUR, NEIGHBOUR_LABELS, NetworkConfig, class_of_label
from .augmentation import Augmentation, augmented_crop
from .cases import StoredCase
from .data.case import NO_LESION, UNKNOWN
from .data.sampling import as_sample, draw_center, moved_inside

if TYPE_CHECKING:
    from .schemas import Schema

_TRIES = 200


class PatchSamples(Dataset):
    """`length` samples of a network's patch size from scans that are stored on its grid.

    A sample is "image" (1, D, H, W) float32 as the network gets it, "labels" (D, H, W) int64 class indices, and the
    schema's extra maps; if any scan has voxels of unknown class also "keep" (D, H, W) float32, 0 there and else 1, and
    "no_lesion" (D, H, W) float32, 1 where all that is known is that there is no lesion. It depends on `seed` and its
    index alone. Each scan is as likely as another; the patch's middle is drawn by the schema, but patches do not leave
    the scan where it is large enough.
    """

    def __init__(
        self,
        cases: Sequence[StoredCase],
        config: NetworkConfig,
        schema: Schema,
        augmentation: Augmentation,
        length: int,
        seed: int = 0,
    ) -> None:
        self.cases = tuple(cases)
        self.config = config
        self.schema = schema
        self.augmentation = augmentation
        self.length = length
        self.seed = seed
        self.lookup = class_lookup(config.classes)
        self.unknown = unknown_labels(config.classes)
        self.has_unknown = any(self.unknown.numpy()[case.labels].any() for case in self.cases)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng((self.seed, index))
        case = self.cases[rng.integers(len(self.cases))]
        hu, labels = case.hu, case.labels
        scan = _StoredScan(case, labels, self.lookup.numpy())
        center = draw_center(self.schema, self.config.classes, scan, rng)
        center = moved_inside(center, hu.shape, self.config.patch)
        image, target = augmented_crop(hu, labels, center, self.config.patch, self.augmentation, rng, case.spacing)
        sample = as_sample(image, self.lookup[target], self.config, self.schema, rng)
        if not self.has_unknown:
            return sample
        keep = (~self.unknown[target]).float()
        return sample | {"keep": keep * sample.get("keep", 1.0), "no_lesion": (target == NO_LESION).float()}


def class_lookup(classes: tuple[str, ...]) -> torch.Tensor:
    """int64 table (256,) from structure label, or a neighbour's, to class index; what is `UNKNOWN` becomes
    background."""
    table = torch.zeros(256, dtype=torch.int64)
    known = torch.tensor(class_of_label(classes))
    table[: len(known)] = known
    for name, label in NEIGHBOUR_LABELS.items():
        if name in classes:
            table[label] = classes.index(name)
    return table


def unknown_labels(classes: tuple[str, ...]) -> torch.Tensor:
    """Which (256,) labels leave open what class a voxel has."""
    unknown = torch.zeros(256, dtype=torch.bool)
    unknown[list(UNKNOWN)] = True
    unknown[MAYBE_NEIGHBOUR] = not NEIGHBOUR_LABELS.keys().isdisjoint(classes)
    return unknown


@dataclass(frozen=True)
class _StoredScan:
    """A stored case's voxels by class; `lookup` is the class of every structure label."""

    case: StoredCase
    labels: np.ndarray
    lookup: np.ndarray

    def class_point(self, index: int, rng: np.random.Generator) -> np.ndarray | None:
        if index == 0:
            return self._background_point(rng)
        label = self._label(index, rng)
        return None if label is None else _one_of(self.case.points(label), rng)

    def centerline_point(self, index: int, rng: np.random.Generator) -> np.ndarray | None:
        label = self._label(index, rng)
        return None if label is None else _one_of(self.case.centerline(label), rng)

    def any_point(self, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(self.labels.shape)

    def _label(self, index: int, rng: np.random.Generator) -> int | None:
        """A structure label of a class, drawn by its number of voxels."""
        voxels = np.where(self.lookup[: len(self.case.voxels)] == index, self.case.voxels, 0)
        return int(rng.choice(len(voxels), p=voxels / voxels.sum())) if voxels.any() else None

    def _background_point(self, rng: np.random.Generator) -> np.ndarray | None:
        """Tried at random, as nearly all of a scan is background; None where nearly nothing is."""
        for _ in range(_TRIES):
            point = self.any_point(rng)
            label = self.labels[tuple(point)]
            if label not in UNKNOWN and self.lookup[label] == 0:
                return point
        return None


def _one_of(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return points[rng.integers(len(points))]
