"""The two things that travel through the library: a CT volume and a label map on its grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import Segment
from ..review import ReviewPlace
from .geometry import spacing_of, voxel_ml
from .lookup import exchanged


@dataclass(frozen=True)
class Volume:
    """A CT: int16 HU array (z, y, x) and its 4x4 affine (see `geometry`); `notes` says what reading it found odd."""

    array: np.ndarray
    affine: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def spacing(self) -> np.ndarray:
        """Voxel spacing in mm, (x, y, z)."""
        return spacing_of(self.affine)


@dataclass(frozen=True)
class LabelMap:
    """Segments on the grid of a CT: uint8 array (z, y, x) whose voxels hold `Segment.value` (0 background).

    `notes` are sentences for the user about how it came about ("No kidney was found ..."), `places` are worth a look.
    `uncertainty`, in percent, is on a coarser grid of its own.
    """

    array: np.ndarray
    affine: np.ndarray
    segments: tuple[Segment, ...] = ()
    notes: tuple[str, ...] = ()
    places: tuple[ReviewPlace, ...] = ()
    uncertainty: Volume | None = None

    def mask(self, segment: Segment) -> np.ndarray:
        """Boolean array (z, y, x) of one segment."""
        return self.array == segment.value

    def volumes_ml(self) -> dict[str, float]:
        """Volume of every segment in ml by segment id, counted in voxels (never from a smoothed surface)."""
        counts = sum(np.bincount(plane.ravel(), minlength=256) for plane in self.array)
        return {s.id: float(counts[s.value]) * voxel_ml(self.affine) for s in self.segments}

    def structure_labels(self) -> np.ndarray:
        """uint8 array (z, y, x) with the structures' label values 1..6, sides and tumor numbers merged."""
        lookup = np.zeros(256, np.uint8)
        for segment in self.segments:
            lookup[segment.value] = segment.structure.label
        return exchanged(self.array, lookup)
