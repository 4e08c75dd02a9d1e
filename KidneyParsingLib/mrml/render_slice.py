"""One axial slice through the most interesting level, with the segments drawn over it, as an RGB image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..anatomy import structure
from ..volumes.volume import LabelMap, Volume

WINDOW_CENTER = 50.0
WINDOW_WIDTH = 400.0
FILL_OPACITY = 0.3
OUTLINE_PIXELS = 2
AIR = -1024
BODY_HU = -200
BODY_MARGIN = 1.12


@dataclass(frozen=True)
class AxialSlice:
    """A level of the CT: `hu` and `labels` are square arrays (rows to posterior, columns to the patient's left)."""

    hu: np.ndarray
    labels: np.ndarray
    superior_mm: float


def axial_slice(volume: Volume, label_map: LabelMap, size: int) -> AxialSlice:
    """The axial plane with most tumor, else most kidney, else most of anything, as `size` x `size` pixels.

    Any orientation of the CT will do: the plane is axial in the patient. It is as wide as the body in it.
    """
    level = _interesting_level(label_map)
    low, high = _bounds(volume)
    whole_view = _pixel_points((low + high) / 2, (high - low)[:2].max(), level, size // 4)
    center, width = _body(whole_view, _sample(volume, whole_view, order=1, outside=AIR))
    points = _pixel_points(center, width, level, size)
    hu = _sample(volume, points, order=1, outside=AIR)
    return AxialSlice(hu, _sample(label_map, points, order=0, outside=0), level)


def draw_slice(plane: AxialSlice, label_map: LabelMap) -> np.ndarray:
    """uint8 array (rows, columns, RGB): soft-tissue window with translucent, outlined segments."""
    gray = np.clip((plane.hu - WINDOW_CENTER) / WINDOW_WIDTH + 0.5, 0.0, 1.0)
    colors = np.zeros((256, 3))
    for segment in label_map.segments:
        colors[segment.value] = segment.structure.color
    opacity = np.where(plane.labels > 0, FILL_OPACITY, 0.0)
    opacity[_is_outline(plane.labels)] = 1.0
    opacity = opacity[..., None]
    return ((1 - opacity) * gray[..., None] * 255 + opacity * colors[plane.labels]).astype(np.uint8)


def _interesting_level(label_map: LabelMap) -> float:
    labels = label_map.structure_labels()
    for wanted in (labels == structure("tumor").label, labels == structure("kidney").label, labels > 0):
        if wanted.any():
            return _fullest_level(wanted, label_map.affine)
    center = np.append((np.array(labels.shape[::-1]) - 1) / 2, 1.0)
    return float((label_map.affine @ center)[2])


def _fullest_level(mask: np.ndarray, affine: np.ndarray) -> float:
    """The superior coordinate (mm) at which most voxels of `mask` lie."""
    z, y, x = np.nonzero(mask)
    levels = affine[2, 0] * x + affine[2, 1] * y + affine[2, 2] * z
    steps = np.rint((levels - levels.min()) / np.abs(affine[2, :3]).max()).astype(int)
    return float(np.median(levels[steps == np.bincount(steps).argmax()]) + affine[2, 3])


def _pixel_points(center: np.ndarray, width: float, level: float, size: int) -> np.ndarray:
    """Homogeneous LPS points (mm), array (4, size, size), of a square of pixels around `center` (x, y)."""
    offsets = ((np.arange(size) + 0.5) / size - 0.5) * width
    x, y = np.meshgrid(center[0] + offsets, center[1] + offsets)
    return np.stack([x, y, np.full_like(x, level), np.ones_like(x)])


def _sample(grid: Volume | LabelMap, points: np.ndarray, order: int, outside: int) -> np.ndarray:
    indices = np.tensordot(np.linalg.inv(grid.affine), points, axes=1)[2::-1]
    ends = np.array(grid.array.shape)[:, None, None] - 0.5
    is_outside = ((indices < -0.5) | (indices > ends)).any(axis=0)
    values = ndimage.map_coordinates(grid.array, indices, order=order, mode="nearest")
    return np.where(is_outside, outside, values).astype(grid.array.dtype)


def _body(points: np.ndarray, hu: np.ndarray) -> tuple[np.ndarray, float]:
    """Center (x, y) and width in mm of a square around the largest object in the plane, which is not the table."""
    objects, count = ndimage.label(hu > BODY_HU)
    if not count:
        return points[:2].mean(axis=(1, 2)), float(np.ptp(points[0]))
    body = points[:2, objects == np.bincount(objects[objects > 0]).argmax()]
    low, high = body.min(axis=1), body.max(axis=1)
    return (low + high) / 2, BODY_MARGIN * float((high - low).max())


def _bounds(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest LPS coordinates (mm) of the volume's outer corners."""
    shape = np.array(volume.array.shape[::-1])
    corners = np.array(list(np.ndindex(2, 2, 2))) * shape - 0.5
    points = corners @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    return points.min(axis=0), points.max(axis=0)


def _is_outline(labels: np.ndarray) -> np.ndarray:
    size = 2 * OUTLINE_PIXELS + 1
    return (labels > 0) & (ndimage.minimum_filter(labels, size) != ndimage.maximum_filter(labels, size))
