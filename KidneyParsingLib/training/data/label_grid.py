"""Labels brought from a scan's grid to a network's grid."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ...inference.grid import Grid, bounds, shifted_affine
from ...networks.configs import MAYBE_NEIGHBOUR, NEIGHBOUR_LABELS
from ...volumes.geometry import image_from_array
from ...volumes.volume import Volume


def labels_on_grid(labels: np.ndarray, affine: np.ndarray, grid: Grid) -> np.ndarray:
    """uint8 labels (z, y, x) with the given affine on an upright grid; 0 outside.

    The mask of every label is interpolated linearly at the grid's points; where the masks together reach one half, the
    label of the largest one is taken; structures before what lies beside them. Unlike the HU, the masks are not
    averaged over coarse voxels first: a vessel thinner than a voxel would vanish; so it keeps its share of the volume,
    though it may be broken.
    """
    result = np.zeros(grid.size, np.uint8)
    spans = [np.flatnonzero(labels.any(axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not len(spans[0]):
        return result
    window = tuple(slice(max(0, int(s[0]) - 1), int(s[-1]) + 2) for s in spans)
    part, affine = labels[window], shifted_affine(affine, tuple(w.start for w in window))
    target = grid.window(bounds(Volume(part, affine)))
    result[target] = _interpolated(part, affine, _part(grid, target))
    return result


def label_counts(labels: np.ndarray, length: int = 256) -> np.ndarray:
    """How many voxels of an array (z, y, x) hold each of the labels 0 .. `length` - 1."""
    # A slice at a time: bincount copies what it counts to eight bytes a voxel.
    return sum(np.bincount(plane.ravel(), minlength=length) for plane in labels)


def _interpolated(labels: np.ndarray, affine: np.ndarray, grid: Grid) -> np.ndarray:
    found = np.flatnonzero(label_counts(labels))
    beside = {*NEIGHBOUR_LABELS.values(), MAYBE_NEIGHBOUR}
    winner = _winner(labels, [label for label in found if label and label not in beside], affine, grid)
    others = _winner(labels, [label for label in found if label in beside], affine, grid)
    return np.where(winner == 0, others, winner)


def _winner(labels: np.ndarray, chosen: list[int], affine: np.ndarray, grid: Grid) -> np.ndarray:
    winner, best = np.zeros(grid.size, np.uint8), np.zeros(grid.size, np.float32)
    total = np.zeros(grid.size, np.float32)
    for label in chosen:
        share = _share(labels == label, affine, grid)
        winner[share > best] = label
        np.maximum(best, share, out=best)
        total += share
    winner[total < 0.5] = 0
    return winner


def _share(mask: np.ndarray, affine: np.ndarray, grid: Grid) -> np.ndarray:
    image = image_from_array(mask.astype(np.uint8), affine)
    size, spacing = grid.size[::-1], tuple(map(float, grid.spacing[::-1]))
    upright = np.eye(3).ravel().tolist()
    result = sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, grid.origin.tolist(), spacing, upright,
                           0.0, sitk.sitkFloat32)  # fmt: skip
    return sitk.GetArrayFromImage(result)


def _part(grid: Grid, window: tuple[slice, ...]) -> Grid:
    starts = np.array([w.start for w in window])[::-1]
    origin = grid.origin + starts * grid.spacing[::-1]
    return Grid(origin, grid.spacing, tuple(w.stop - w.start for w in window))
