"""Centre lines of aorta and cava with the iliac vessels, followed slice by slice through ragged labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .trunk_marks import TrunkMarks

# Further than this from slice to slice lies another vessel.
_JUMP_MM = 12.0
_MET_MM = 7.0


@dataclass(frozen=True)
class Fork:
    """A great vessel: two `branches` (right, left), each a smooth path (n, 3; z, y, x) in voxels that ascends from its
    own lower end through `split` (the slice where both meet) to the common top."""

    branches: tuple[np.ndarray, np.ndarray]
    split: int

    @property
    def trunk(self) -> np.ndarray:
        """The common path above the split."""
        path = self.branches[0]
        return path[path[:, 0] >= self.split]


def follow(mask: np.ndarray, marks: TrunkMarks, spacing: float) -> Fork | None:
    """The fork of a great vessel's mask (z, y, x); None if it does not show a trunk and two branches."""
    heights = np.flatnonzero(mask.any((1, 2)))
    if len(heights) * spacing < 60:
        return None
    depths = _Depths(mask)
    lower = _branches(depths, marks, heights[0], spacing)
    if lower is None:
        return None
    split = int(lower[0][-1, 0])
    trunk = _trunk(depths, (lower[0][-1] + lower[1][-1]) / 2, heights[-1], spacing)
    smooth = tuple(_smoothed(np.concatenate([side[:-1], trunk]), spacing) for side in lower)
    return Fork(smooth, split)


class _Depths:
    """Distance to the mask's border within every slice, made when asked for."""

    def __init__(self, mask: np.ndarray) -> None:
        rows, columns = (np.flatnonzero(mask.any(axes)) for axes in ((0, 2), (0, 1)))
        self.corner = np.array([rows[0], columns[0]])
        self.window = mask[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    def peak(self, z: int, near: np.ndarray, pull: float, reach: float) -> np.ndarray | None:
        """The deepest point (y, x) of slice z within `reach` voxels of `near`, each voxel away from it counted as
        `pull` voxels less deep; None if there is nothing."""
        plane = self.window[z]
        if not plane.any():
            return None
        deep = ndimage.distance_transform_edt(np.pad(plane, 1))[1:-1, 1:-1]
        rows, columns = np.ogrid[tuple(map(slice, plane.shape))]
        away = np.hypot(rows - (near - self.corner)[0], columns - (near - self.corner)[1])
        score = np.where(plane & (away < reach), deep - pull * away, -np.inf)
        best = score.argmax()
        if not np.isfinite(score.flat[best]):
            return None
        return self.corner + np.array(np.unravel_index(best, plane.shape), float)


class _Tracker:
    """Follows one vessel upwards from a point (y, x); over gaps it stays and looks further with every slice."""

    def __init__(self, depths: _Depths, start: np.ndarray, pull: float, spacing: float) -> None:
        self.depths, self.point, self.pull, self.spacing = depths, start, pull, spacing
        self.lost_mm = 0.0

    def step(self, z: int) -> np.ndarray:
        """The vessel's point in slice z."""
        found = self.depths.peak(z, self.point, self.pull, (_JUMP_MM + 1.5 * self.lost_mm) / self.spacing)
        self.lost_mm = 0.0 if found is not None else self.lost_mm + self.spacing
        self.point = self.point if found is None else found
        return self.point


def _starts(depths: _Depths, z: int, middle: float, spacing: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean points of the mask right and left of the spine in slice z; None unless both lie well aside."""
    points = np.argwhere(depths.window[z]) + depths.corner
    aside = (points[:, 1] - middle) * spacing
    sides = points[aside < -15], points[aside > 15]
    return tuple(side.mean(0) for side in sides) if all(len(side) for side in sides) else None


def _branches(depths: _Depths, marks: TrunkMarks, bottom: int, spacing: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Paths of both branches from the lowest slice that shows them up to where they meet."""
    limit = marks.kidney_span[0] + round(25 / spacing)
    both = ((z, _starts(depths, z, marks.middle[z], spacing)) for z in range(bottom, limit))
    first, points = next(((z, s) for z, s in both if s is not None), (0, None))
    if points is None:
        return None
    trackers = [_Tracker(depths, point, 0.45, spacing) for point in points]
    paths: tuple[list, list] = ([], [])
    for z in range(first, limit):
        points = [tracker.step(z) for tracker in trackers]
        for path, point in zip(paths, points, strict=True):
            path.append((z, *point))
        if np.linalg.norm(points[0] - points[1]) * spacing < _MET_MM:
            return np.array(paths[0], float), np.array(paths[1], float)
    return None


def _trunk(depths: _Depths, start: np.ndarray, top: int, spacing: float) -> np.ndarray:
    tracker = _Tracker(depths, start[1:], 0.35, spacing)
    heights = range(int(start[0]) + 1, top + 1)
    return np.array([start, *((z, *tracker.step(z)) for z in heights)])


def _smoothed(path: np.ndarray, spacing: float) -> np.ndarray:
    return np.c_[path[:, :1], ndimage.gaussian_filter1d(path[:, 1:], 6 / spacing, axis=0, mode="nearest")]
