"""Where in a deformed SPL atlas the great vessels, spine, psoas and ureters lie: what renal vessels are led along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...anatomy import LEFT, RIGHT
from ..atlas import SPL_AORTA, SPL_CAVA, SPL_COMMON_ILIAC, SPL_PSOAS, SPL_SPINE, SPL_URETER
from ..tissues import Tissue

# Lateral direction along x (x runs to the patient's left).
LATERAL = {RIGHT: -1, LEFT: 1}


@dataclass(frozen=True)
class CenterLine:
    """A tube-like organ by slice: `points` (n, 3) voxels (z, y, x), z ascending, and `radii` (n,) voxels."""

    points: np.ndarray
    radii: np.ndarray

    def at(self, z: float) -> np.ndarray:
        """The point nearest to height z."""
        return self.points[self._index(z)].astype(float)

    def radius_at(self, z: float) -> float:
        return float(self.radii[self._index(z)])

    def _index(self, z: float) -> int:
        return int(np.abs(self.points[:, 0] - z).argmin())


@dataclass(frozen=True)
class Landmarks:
    """Of one patient, in voxels. Maps (z, x) of the first row (y) that something takes: `front` spine or psoas,
    `before_aorta` the aorta too, `cover` all that ureters pass before. `brim` is the height at which they cross the
    iliac vessels, `bladder` where they end (empty without a bladder)."""

    aorta: CenterLine
    cava: CenterLine
    psoas: dict[str, CenterLine]
    ureters: dict[str, np.ndarray]
    front: np.ndarray
    before_aorta: np.ndarray
    cover: np.ndarray
    brim: dict[str, float]
    bladder: dict[str, np.ndarray]


def center_line(mask: np.ndarray) -> CenterLine:
    """Centroid and radius of the disc of equal area in every slice that the mask crosses."""
    counts = mask.sum((1, 2))
    heights = np.flatnonzero(counts)
    middles = [(mask[heights].sum(2 if axis == 1 else 1) * np.arange(mask.shape[axis])).sum(1) for axis in (1, 2)]
    points = np.stack([heights, *(m / counts[heights] for m in middles)], 1).astype(float)
    return CenterLine(points.reshape(-1, 3), np.sqrt(counts[heights] / np.pi))


def find_landmarks(labels: np.ndarray, tissues: np.ndarray) -> Landmarks:
    """Landmarks of a patient's `tissues`, without kidneys and their vessels, and of the deformed SPL `labels` that they
    were made of (same grid)."""
    artery, vein = np.isin(tissues, (Tissue.ARTERY, Tissue.PLAQUE)), tissues == Tissue.VEIN
    front = _first_row(np.isin(labels, (*SPL_SPINE, *SPL_PSOAS.values())))
    brim = {side: _height(labels == value) for side, value in SPL_COMMON_ILIAC.items()}
    aorta, cava = _above(artery, labels == SPL_AORTA), _above(vein, labels == SPL_CAVA)
    vessels = _first_row(artery | vein)
    # In the pelvis ureters run behind the external iliac vessels.
    vessels[: int(min(brim.values()))] = labels.shape[1]
    bladder = np.argwhere(tissues == Tissue.BLADDER_URINE)
    return Landmarks(
        aorta=center_line(aorta),
        cava=center_line(cava),
        psoas={side: center_line(labels == value) for side, value in SPL_PSOAS.items()},
        ureters={side: center_line(labels == value).points for side, value in SPL_URETER.items()},
        front=front,
        before_aorta=np.minimum(front, _first_row(aorta)),
        cover=np.minimum(front, vessels),
        brim=brim,
        bladder={side: _bladder_corner(bladder, side) for side in LATERAL},
    )


def _above(vessel: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The vessel's mask without what lies below the trunk's label (the iliac vessels)."""
    mask = vessel.copy()
    mask[: int(np.argmax(label.any((1, 2)))) + 3] = False
    return mask if mask.any() else label


def _first_row(mask: np.ndarray) -> np.ndarray:
    """Map (z, x) of the first row (y) that the mask takes; the number of rows where there is none."""
    return np.where(mask.any(1), mask.argmax(1), mask.shape[1]).astype(np.float32)


def _height(mask: np.ndarray) -> float:
    """Middle slice of a mask, 0 if it is empty."""
    heights = np.flatnonzero(mask.any((1, 2)))
    return float(heights.mean()) if len(heights) else 0.0


def _bladder_corner(points: np.ndarray, side: str) -> np.ndarray:
    """The bladder's posterior lateral corner in its lower third, (3,) or empty."""
    if not len(points):
        return np.zeros(0)
    low, high = np.quantile(points[:, 0], (0.15, 0.35))
    points = points[(points[:, 0] >= low) & (points[:, 0] <= high)]
    return points[(points[:, 1] + LATERAL[side] * points[:, 2]).argmax()].astype(float)
