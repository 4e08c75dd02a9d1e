"""Voxels that training patches may be centred on."""

from __future__ import annotations

import numpy as np

from ...anatomy import NUM_CLASSES, TUBE_LABELS

_MAX_POINTS = 5000


def candidate_points(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Positions (n, 3) int32 of up to 5000 voxels of every structure label in an array (z, y, x).

    `points_<label>`: any of its voxels; `centerline_<label>`: those of its skeleton, for tubes. The draw depends on the
    labels alone.
    """
    inside = np.flatnonzero(labels)
    values = labels.ravel()[inside]
    result = {}
    for label in range(1, NUM_CLASSES):
        points = np.stack(np.unravel_index(inside[values == label], labels.shape), 1).astype(np.int32)
        result[f"points_{label}"] = _some(points)
        if label in TUBE_LABELS:
            result[f"centerline_{label}"] = _some(_skeleton(points))
    return result


def _some(points: np.ndarray) -> np.ndarray:
    if len(points) <= _MAX_POINTS:
        return points
    return points[np.random.default_rng(0).choice(len(points), _MAX_POINTS, replace=False)]


def _skeleton(points: np.ndarray) -> np.ndarray:
    """Points (n, 3) of the centrelines of the voxels at `points`; without scikit-image the points themselves."""
    try:
        from skimage.morphology import skeletonize
    except ImportError:
        return points
    if not len(points):
        return points
    low = points.min(0) - 1
    mask = np.zeros(points.max(0) - low + 2, bool)
    mask[tuple((points - low).T)] = True
    line = np.argwhere(skeletonize(mask)) + low
    # Of compact, symmetric shapes nothing is left.
    return line.astype(np.int32) if len(line) else points
