"""A label map brought onto the grid of its CT voxel by voxel: uncropped, its axes in the CT's order."""

from __future__ import annotations

from itertools import product

import numpy as np

from ..errors import InputError
from ..sentences import texts_of
from .volume import LabelMap

_ = texts_of(__name__)

# In voxels: how far a label map's voxel may lie from one of the CT.
_TOLERANCE = 0.25


def on_grid(label_map: LabelMap, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """The label map's array on a CT's grid, of `shape` (z, y, x) and `affine` (LPS), without resampling.

    The label map may be cropped, larger, or have its axes in another order or direction. Raises InputError if its
    voxels are not voxels of the CT or a segment reaches beyond it.
    """
    to_ct = np.linalg.inv(affine) @ label_map.affine
    order, corner = _turned(to_ct, label_map.array.shape)
    axes = tuple(2 - axis for axis in order)
    array = label_map.array.transpose(axes[::-1])
    turn = np.rint(to_ct[:3, :3])
    array = array[tuple(slice(None, None, -1 if turn[axis].sum() < 0 else 1) for axis in (2, 1, 0))]
    return _pasted(array, corner[::-1], shape)


def _turned(to_ct: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """For every axis (x, y, z) of the CT the label map's axis along it, and the box's first voxel."""
    turn = np.rint(to_ct[:3, :3])
    corners = np.array(list(product(*((0, size - 1) for size in shape[::-1]))), float)
    exact = corners @ to_ct[:3, :3].T + to_ct[:3, 3]
    rounded = corners @ turn.T + np.rint(to_ct[:3, 3])
    is_turn = (np.abs(turn).sum(axis=0) == 1).all() and (np.abs(turn).sum(axis=1) == 1).all()
    if not is_turn or np.abs(exact - rounded).max() > _TOLERANCE:
        raise InputError(_("The segmentation does not lie on the voxels of this CT; give the CT that was segmented."))
    return np.abs(turn).argmax(axis=1), rounded.min(axis=0).astype(int)


def _pasted(array: np.ndarray, corner: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    result = np.zeros(shape, array.dtype)
    low, high = np.maximum(corner, 0), np.minimum(corner + array.shape, shape)
    if (high > low).all():
        source = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, corner, strict=True))
        result[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = array[source]
    if np.count_nonzero(result) < np.count_nonzero(array):
        raise InputError(_("The segmentation reaches beyond this CT; give the CT that was segmented."))
    return result
