"""What the search for review places looks at: probability maps, labels and where they lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import cc3d
import numpy as np

from ..anatomy import NUM_CLASSES, STRUCTURES, structure
from ..review import ReviewPlace
from ..volumes.geometry import lps_to_ras

NAMES = {s.label: s.name for s in STRUCTURES}
WORDS = {s.label: s.word for s in STRUCTURES}
KIDNEY = structure("kidney").label
# Steps (27, 3) from a voxel to itself and its neighbours.
_STEPS = np.array(list(product((-1, 0, 1), repeat=3)))
# A change of a structure's volume by this share, or of an absent one's by this share of so many ml, is of weight
# 1 - 1/e.
_SHARE_THAT_MATTERS = 0.1
_SMALL_ML = 2.0


@dataclass(frozen=True)
class ReviewCase:
    """Maps (C, z, y, x) of `classes`, or nested maps (2, z, y, x); structure labels (z, y, x) uint8 on the same grid.

    `spacing` is (z, y, x) in mm and `affine` maps index (x, y, z) to LPS mm. `boundary` (z, y, x) is the probability of
    any surface; `seen` (z, y, x) is where there are predictions (None: where the maps are not all 0).
    """

    maps: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    spacing: tuple[float, float, float]
    affine: np.ndarray
    boundary: np.ndarray | None = None
    seen: np.ndarray | None = None

    @cached_property
    def label_of_class(self) -> np.ndarray:
        """uint8 structure label of every class."""
        return np.array([0, *(structure(name).label for name in self.classes[1:])], np.uint8)

    @property
    def nested(self) -> bool:
        """Whether the maps are sigmoid maps of (kidney or tumor) and of (tumor)."""
        return len(self.maps) == len(self.classes) - 1

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in ml."""
        return float(np.prod(self.spacing)) / 1000

    @cached_property
    def structure_ml(self) -> np.ndarray:
        """Volume in ml of every structure label."""
        return np.bincount(self.labels.ravel(), minlength=NUM_CLASSES) * self.voxel_ml

    def probabilities(self, points: tuple[np.ndarray, ...] | tuple[slice, ...]) -> np.ndarray:
        """Class probabilities (classes, ...) float32 at index arrays or slices (z, y, x)."""
        maps = self.maps[(slice(None), *points)].astype(np.float32, copy=False)
        if not self.nested:
            return maps
        whole, tumor = maps
        return np.stack([1 - whole, whole * (1 - tumor), whole * tumor])

    def probability(self, label: int, points: tuple[np.ndarray, ...]) -> np.ndarray:
        """p(structure) float32 at index arrays (z, y, x); 0 for a structure that the network does not know."""
        found = np.flatnonzero(self.label_of_class == label)
        return self.probabilities(points)[found[0]] if len(found) else np.zeros(len(points[0]), np.float32)

    def seen_at(self, where: tuple[np.ndarray, ...] | tuple[slice, ...]) -> np.ndarray:
        """Whether there are predictions at index arrays or slices (z, y, x)."""
        if self.seen is not None:
            return self.seen[where]
        # Nested maps of 0 are a sure background too; where they were not predicted cannot be told.
        return np.ones(self.labels[where].shape, bool) if self.nested else self.maps[(slice(None), *where)].any(0)

    def importance(self, label: int, ml: float) -> float:
        """How much `ml` more or less of a structure matter, 0..1, by its volume: 1 - exp(-ml / (a tenth of it)).

        The importance of two changes is 1 - (1 - a)(1 - b).
        """
        return float(1 - np.exp(-ml / (_SHARE_THAT_MATTERS * (self.structure_ml[label] + _SMALL_ML))))

    def place(self, label: int, kind: str, reason: str, index: np.ndarray, ml: float, score: float) -> ReviewPlace:
        """A place at a voxel `index` (z, y, x)."""
        x, y, z = (lps_to_ras(self.affine) @ [*index[::-1], 1.0])[:3]
        center = (round(float(x), 2), round(float(y), 2), round(float(z), 2))
        return ReviewPlace(NAMES[label], reason, center, round(float(ml), 3), round(min(1.0, float(score)), 4), kind)


def neighbourhood(points: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Index arrays (z, y, x), each (n, 27), of voxels (n, 3) and their 26 neighbours; beyond the border the voxel
    nearest to it."""
    around = np.clip(points[:, None] + _STEPS, 0, np.subtract(shape, 1))
    return tuple(np.moveaxis(around, -1, 0))


def beside(values: np.ndarray, points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Whether each voxel (n, 3), or one of its 26 neighbours, has the value that is `wanted` (n,) of it."""
    found = np.zeros(len(points), bool)
    highest = np.subtract(values.shape, 1)
    for step in _STEPS:  # one at a time, for 27 times the memory would be much
        found |= values[tuple(np.clip(points + step, 0, highest).T)] == wanted
    return found


def components_of(points: np.ndarray, values: np.ndarray, connectivity: int) -> list[np.ndarray]:
    """Connected components of voxels (n, 3) with equal `values` (n,) uint8 from 1: positions in `points` of each."""
    if not len(points):
        return []
    inside = tuple((points - points.min(0)).T)
    painted = np.zeros(np.ptp(points, axis=0) + 1, np.uint8)
    painted[inside] = values
    part = cc3d.connected_components(painted, connectivity=connectivity)[inside]
    order = np.argsort(part, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(part[order])) + 1)


def central_voxel(points: np.ndarray, doubt: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Of voxels (n, 3) the most doubtful of the quarter nearest to their centroid."""
    mm = points * np.asarray(spacing)
    off = np.linalg.norm(mm - np.average(mm, axis=0, weights=doubt + 1e-6), axis=1)
    near = np.argsort(off, kind="stable")[: -(-len(points) // 4)]
    return points[near[np.argmax(doubt[near])]]


def bounding_window(mask: np.ndarray, margin: int = 0) -> tuple[slice, slice, slice]:
    """The smallest window (z, y, x) that holds all of a mask, with a margin in voxels; empty if the mask is."""
    spans = [np.flatnonzero(mask.any(axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not len(spans[0]):
        return (slice(0, 0),) * 3
    pairs = zip(spans, mask.shape, strict=True)
    return tuple(slice(max(0, s[0] - margin), min(n, s[-1] + 1 + margin)) for s, n in pairs)
