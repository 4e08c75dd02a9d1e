"""What the makers of the trunk's parts share: tissues, grids, landmarks and build of the patient in the making."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..tissues import NUM_TISSUES, Tissue
from .coarse import CoarseGrid
from .habitus import Habitus
from .trunk_marks import TrunkMarks
from .tubes import Tube


@dataclass
class Scene:
    """`tissues` (z, y, x) within a window around the trunk, changed in place by all makers.

    `depth` is the distance in mm below the surface of the trunk without its subcutaneous fat; `reserved` marks what no
    organ may grow into (the places of kidneys, ureters and renal vessels).
    """

    tissues: np.ndarray
    spacing: float
    rng: np.random.Generator
    habitus: Habitus
    grid: CoarseGrid
    marks: TrunkMarks
    depth: np.ndarray
    reserved: np.ndarray

    def voxels(self, mm: float) -> float:
        """A length in voxels."""
        return mm / self.spacing

    def among(self, *kinds: Tissue) -> np.ndarray:
        """Mask of the voxels of the given tissues."""
        return _lookup(kinds)[self.tissues]

    def free(self, box: tuple[slice, ...] = (), *also: Tissue) -> np.ndarray:
        """Mask of the fat (and of tissues in `also`) within the window that nothing is reserved in."""
        return _lookup((Tissue.FAT, *also))[self.tissues[box]] & ~self.reserved[box]

    def paint(self, shape: Tube | None, tissue: Tissue, *over: Tissue) -> None:
        """Paints a tube over fat and the tissues `over`."""
        if shape is not None:
            local = self.tissues[shape.box]
            local[(shape.depth > 0) & self.free(shape.box, *over)] = tissue


def _lookup(kinds: tuple[Tissue, ...]) -> np.ndarray:
    table = np.zeros(NUM_TISSUES, bool)
    table[list(kinds)] = True
    return table
