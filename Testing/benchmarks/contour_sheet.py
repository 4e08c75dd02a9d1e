"""A row of axial slices with the contours of what was found, as a PNG."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import SimpleITK as sitk

from KidneyParsingLib.anatomy import ORGAN_LABELS, STRUCTURES
from KidneyParsingLib.volumes.geometry import image_from_array
from KidneyParsingLib.volumes.volume import Volume

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

SLICES = 6
MARGIN_MM = 40.0
WINDOW_HU = (-140.0, 260.0)


def upright(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """An array (z, y, x) with z to superior, y to posterior and x to left, and its spacing (z, y, x)."""
    image = sitk.DICOMOrient(image_from_array(array, affine), "LPS")
    return sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]


def write_contours(volume: Volume, labels: np.ndarray, path: Path) -> None:
    """Six slices from the lower to the upper end of the kidneys, the patient's right on the left, cut to the labels."""
    hu, spacing = upright(volume.array, volume.affine)
    found, _ = upright(labels, volume.affine)
    window = _window(found, spacing)
    levels = np.flatnonzero(np.isin(found, ORGAN_LABELS).any((1, 2)))
    if not len(levels):
        levels = np.arange(len(found))
    figure, axes = plt.subplots(1, SLICES, figsize=(3 * SLICES, 2.6))
    for axis, z in zip(axes, np.linspace(levels[0], levels[-1], SLICES + 2)[1:-1].astype(int), strict=True):
        _draw(axis, hu[z][window], found[z][window], spacing[1] / spacing[2])
    figure.tight_layout(pad=0.2)
    figure.savefig(path, dpi=50)
    plt.close(figure)


def _window(found: np.ndarray, spacing: tuple[float, ...]) -> tuple[slice, slice]:
    mask = (found > 0).any(0)
    spans = [np.flatnonzero(mask.any(axis)) for axis in (1, 0)]
    if not len(spans[0]):
        return slice(None), slice(None)
    margins = [round(MARGIN_MM / mm) for mm in spacing[1:]]
    return tuple(slice(max(0, s[0] - m), s[-1] + m) for s, m in zip(spans, margins, strict=True))


def _draw(axis: plt.Axes, hu: np.ndarray, found: np.ndarray, aspect: float) -> None:
    axis.imshow(hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], aspect=aspect)
    for entry in STRUCTURES:
        mask = found == entry.label
        if mask.any():
            axis.contour(mask, [0.5], colors=[np.array(entry.color) / 255], linewidths=1)
    axis.axis("off")
