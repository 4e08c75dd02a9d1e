"""A picture of made scans to look through: one row a scan, axial, coronal, and coronal with the truth's contours."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ...anatomy import ORGAN_LABELS, STRUCTURES, structure
from ...volumes.geometry import direction_of
from ...volumes.volume import LabelMap, Volume
from ...volumes.writing import check_writable, replacing
from .pixel_font import text_mask
from .scan import ScanPlan

PANEL_PIXELS = 320
CAPTION_PIXELS = 16
ROW_SHAPE = (CAPTION_PIXELS + PANEL_PIXELS, 3 * PANEL_PIXELS, 3)
SUFFIXES = (".png",)
_WINDOW_HU = (-160.0, 240.0)
_AORTA_WALL_MM = 3.0
# Of a normal distribution: the standard deviation by the median absolute deviation.
_SD_BY_MAD = 1.4826


def sheet_row(plan: ScanPlan, volume: Volume, truth: LabelMap) -> np.ndarray:
    """One scan as uint8 (ROW_SHAPE: rows, columns, RGB), the patient's right on the left, superior on top.

    The planes are those with most kidney, tumor and cyst in them; the caption tells seed, phase, voxels and noise.
    """
    hu, spacing = _upright(volume.array, volume.affine)
    labels = _upright(truth.structure_labels(), volume.affine)[0]
    level, depth = (_fullest_plane(labels, axis) for axis in (0, 1))
    coronal, contours = hu[::-1, depth], labels[::-1, depth]
    in_coronal = (spacing[0], spacing[2])
    panels = [
        _panel(hu[level], np.zeros_like(labels[level]), spacing[1:]),
        _panel(coronal, np.zeros_like(contours), in_coronal),
        _panel(coronal, contours, in_coronal),
    ]
    caption = _caption(plan, spacing, noise_hu(hu[level], labels[level], spacing[1:]))
    return np.concatenate([_caption_bar(caption), np.concatenate(panels, axis=1)], axis=0)


def write_sheet(rows: Iterable[np.ndarray], path: Path) -> None:
    """Writes rows (of `sheet_row`) one below the other as a PNG; a file at `path` is replaced.

    Raises InputError if it cannot be written.
    """
    check_writable(path, SUFFIXES)
    image = sitk.GetImageFromArray(np.concatenate(list(rows), axis=0), isVector=True)
    with replacing(path, SUFFIXES) as unfinished:
        sitk.WriteImage(image, str(unfinished))


def noise_hu(hu: np.ndarray, labels: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Standard deviation, HU, within the artery of a slice (y, x), away from its wall: how radiology measures noise.

    It is taken from the median absolute deviation, which plaque does not change; NaN where no artery is wide enough.
    """
    artery = labels == structure("artery").label
    core = hu[ndimage.distance_transform_edt(artery, spacing) > _AORTA_WALL_MM]
    return _SD_BY_MAD * float(np.median(np.abs(core - np.median(core)))) if core.size else math.nan


def _upright(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """A view (z, y, x; z superior, y posterior, x left) as nearly as axes go, and its spacing, mm."""
    direction = direction_of(affine)
    index_axes = [int(np.abs(direction[patient_axis]).argmax()) for patient_axis in (2, 1, 0)]
    view = array.transpose([2 - axis for axis in index_axes])
    forward = [direction[p, axis] > 0 for p, axis in zip((2, 1, 0), index_axes, strict=True)]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)[index_axes]
    return view[tuple(slice(None, None, 1 if f else -1) for f in forward)], tuple(spacing.tolist())


def _fullest_plane(labels: np.ndarray, axis: int) -> int:
    """The plane with most kidney and lesion; the middle one where there is none."""
    others = tuple(a for a in range(3) if a != axis)
    voxels = np.isin(labels, ORGAN_LABELS).sum(others)
    return int(voxels.argmax()) if voxels.any() else labels.shape[axis] // 2


def _panel(hu: np.ndarray, labels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """A plane scaled into a black square, with the contours of its labels in the structures' colours."""
    extent = np.array(hu.shape) * spacing
    size = np.maximum(1, np.rint(extent / extent.max() * PANEL_PIXELS)).astype(int)
    low, high = _WINDOW_HU
    grey = ((_scaled(hu.astype(np.float32), size, 1).clip(low, high) - low) * (255 / (high - low))).astype(np.uint8)
    picture = np.repeat(grey[..., None], 3, axis=-1)
    scaled = _scaled(labels, size, 0)
    for entry in STRUCTURES:
        mask = scaled == entry.label
        picture[mask & ~ndimage.binary_erosion(mask)] = entry.color
    panel = np.zeros((PANEL_PIXELS, PANEL_PIXELS, 3), np.uint8)
    top, left = (PANEL_PIXELS - size) // 2
    panel[top : top + size[0], left : left + size[1]] = picture
    return panel


def _scaled(plane: np.ndarray, size: np.ndarray, order: int) -> np.ndarray:
    places = [(np.arange(n) + 0.5) * old / n - 0.5 for n, old in zip(size, plane.shape, strict=True)]
    return ndimage.map_coordinates(plane, np.meshgrid(*places, indexing="ij"), order=order, mode="nearest")


def _caption(plan: ScanPlan, spacing: tuple[float, ...], noise: float) -> str:
    noise_text = "-" if math.isnan(noise) else f"{noise:.0f}"
    voxels = f"slices {spacing[0]:g} mm, pixels {spacing[2]:.2f} mm"
    return f"seed {plan.seed}, {plan.contrast}, {voxels}, noise {noise_text} HU, {plan.geometry.axes}"


def _caption_bar(caption: str) -> np.ndarray:
    bar = np.zeros((CAPTION_PIXELS, ROW_SHAPE[1]), np.uint8)
    mask = text_mask(caption)[:, : ROW_SHAPE[1] - 4]
    bar[3 : 3 + mask.shape[0], 4 : 4 + mask.shape[1]] = mask * np.uint8(255)
    return np.repeat(bar[..., None], 3, axis=-1)
