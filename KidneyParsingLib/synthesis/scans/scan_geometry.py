"""How scanners lay their slices through a patient, and how files state it: field, range, tilt, axes, origin.

The ranges are our choice after what abdominal CT in public collections shows (a matrix of 512, fields of 300 to 500 mm,
slices of 0.5 to 5 mm, the upper abdomen alone in liver protocols).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...volumes.geometry import make_affine
from ..tissues import KIDNEY_TISSUES, Tissue

# Slice thicknesses of scanners by class, mm; a scan's slices lie one thickness apart.
SLICE_MM: dict[str, tuple[float, ...]] = {
    "thin": (0.5, 0.625, 0.75, 1.0, 1.25, 1.5),
    "medium": (2.0, 2.5, 3.0),
    "thick": (4.0, 5.0),
}
_SLICE_SHARES = {"thin": (0.05, 0.1, 0.1, 0.35, 0.2, 0.2), "medium": (0.35, 0.3, 0.35), "thick": (0.3, 0.7)}
# DICOM's own order, and those that NIfTI writers and other programs make of it: the directions that the axes point to.
AXES = ("LPS", "RAS", "LAS", "RPS", "LPI", "RAI", "PSR", "LSP")
_AXES_SHARES = (0.4, 0.2, 0.15, 0.07, 0.07, 0.05, 0.03, 0.03)
# None: what lies outside the reconstruction circle is reconstructed too.
PADDING_HU = (None, -1024, -2048, -3024)
_PADDING_SHARES = (0.25, 0.35, 0.2, 0.2)
_MATRIX = 512
# Of a field that may cut the patient, and of one that fits most (lowest, most frequent, highest).
_NARROW_PIXELS_MM, _USUAL_PIXELS_MM = (0.6, 0.66), (0.66, 0.76, 0.98)
_NARROW_SHARE, _UPPER_SHARE, _TILT_SHARE, _ZERO_ORIGIN_SHARE = 0.15, 0.25, 0.1, 0.1
# Half the depth of a body, mm: a tilted slice stays within the anatomy so far before and behind its middle.
_HALF_DEPTH_MM = 150.0
_KIDNEY_MARGIN_MM = 15.0
_PATIENT_MARGIN_VOXELS = 8


@dataclass(frozen=True)
class ScanGeometry:
    """What of a patient a scan covers, and how its file states it. The default: all of the patient, upright.

    `matrix` counts the rows and columns of a round field of view (None: a box around the patient, all of it seen);
    `shift_mm` (y, x) is its centre's distance from the body's; `kidneys_shown` the share of the kidneys' height that
    lies above the scan's lower end (None: all, and what is below); `trim_mm` what is left out below and above of the
    anatomy; `tilt_deg` a turn about the left-right axis; `axes` a code of `AXES`; `origin_mm` (LPS) the centre of the
    first voxel of the stack before it is put into the order of `axes`; `padding_hu` the value outside the field.
    """

    matrix: int | None = None
    shift_mm: tuple[float, float] = (0.0, 0.0)
    kidneys_shown: float | None = None
    trim_mm: tuple[float, float] = (0.0, 0.0)
    tilt_deg: float = 0.0
    axes: str = "LPS"
    # Away from zero, so that a forgotten origin is seen.
    origin_mm: tuple[float, float, float] = (-180.0, -150.0, -420.0)
    padding_hu: int | None = None


@dataclass(frozen=True)
class Stack:
    """Upright slices: `size` (x, y, z) voxels whose affine maps to mm from the outer corner of the anatomy's array."""

    size: tuple[int, int, int]
    affine: np.ndarray

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest coordinates (x, y, z), mm, of the box that holds it."""
        corners = np.array(list(np.ndindex(2, 2, 2))) * self.size - 0.5
        points = corners @ self.affine[:3, :3].T + self.affine[:3, 3]
        return points.min(0), points.max(0)


def slice_class(mm: float) -> str:
    """The class of a slice thickness: thin up to 1.5 mm, medium up to 3, thick beyond."""
    return next((name for name, all_mm in SLICE_MM.items() if mm <= max(all_mm)), "thick")


def draw_voxel_mm(rng: np.random.Generator, slices: str | None = None) -> tuple[float, float, float]:
    """Voxel size (z, y, x), mm; `slices` is a class of `SLICE_MM`, or None for any."""
    slices = slices or str(rng.choice(tuple(SLICE_MM)))
    thickness = float(rng.choice(SLICE_MM[slices], p=_SLICE_SHARES[slices]))
    narrow = rng.random() < _NARROW_SHARE
    drawn = rng.uniform(*_NARROW_PIXELS_MM) if narrow else rng.triangular(*_USUAL_PIXELS_MM)
    pixel = round(float(drawn), 4)
    return thickness, pixel, pixel


def draw_geometry(rng: np.random.Generator, pixel_mm: float) -> ScanGeometry:
    """A random geometry for slices of that pixel size."""
    upper = rng.random() < _UPPER_SHARE
    return ScanGeometry(
        matrix=_MATRIX,
        shift_mm=_rounded(rng.normal(0, 8, 2)),
        kidneys_shown=round(float(rng.uniform(0.3, 0.9)), 2) if upper else None,
        trim_mm=_rounded(rng.uniform(0, 60, 2)),
        tilt_deg=round(float(rng.uniform(-5, 5)), 2) if rng.random() < _TILT_SHARE else 0.0,
        axes=str(rng.choice(AXES, p=_AXES_SHARES)),
        origin_mm=_draw_origin(rng, pixel_mm * _MATRIX),
        padding_hu=PADDING_HU[rng.choice(len(PADDING_HU), p=_PADDING_SHARES)],
    )


def stack_over(tissues: np.ndarray, spacing: float, voxel_mm: tuple[float, ...], geometry: ScanGeometry) -> Stack:
    """The slices (voxels of `voxel_mm`, (z, y, x)) through an anatomy (z, y, x) of isotropic `spacing` mm."""
    low, high = _patient_box(tissues, spacing)
    bottom, top = _slice_range(tissues, spacing, geometry)
    center = np.array([*(low + high)[::-1] / 2 + np.array(geometry.shift_mm)[::-1], (bottom + top) / 2])
    voxel = np.array(voxel_mm[::-1])
    rows = (high - low)[::-1] if geometry.matrix is None else geometry.matrix * voxel[:2]
    size = np.maximum(1, np.floor(np.array([*rows, top - bottom]) / voxel + 1e-6)).astype(int)
    direction = _tilted(geometry.tilt_deg)
    return Stack(tuple(size.tolist()), make_affine(voxel, center - direction @ ((size - 1) / 2 * voxel), direction))


def outside_field(matrix: int) -> np.ndarray:
    """Mask (y, x) of the pixels of a square slice outside the circle within it."""
    from_center = (np.arange(matrix) - (matrix - 1) / 2) ** 2
    return from_center[:, None] + from_center[None, :] > (matrix / 2) ** 2


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 1) for value in values)


def _draw_origin(rng: np.random.Generator, field_mm: float) -> tuple[float, float, float]:
    """Near the scanner's isocentre, with any table position; zero where a program has dropped it."""
    around = rng.normal(0, 25, 2) - field_mm / 2
    origin = _rounded(np.array([*around, rng.uniform(-1500, 500)]))
    return (0.0, 0.0, 0.0) if rng.random() < _ZERO_ORIGIN_SHARE else origin


def _patient_box(tissues: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Borders (y, x), mm, of a box with a margin around the patient without the table's sides."""
    patient = (tissues != Tissue.AIR) & (tissues != Tissue.TABLE)
    spans = np.array([np.flatnonzero(patient.any(axes))[[0, -1]] for axes in ((0, 2), (0, 1))])
    low = np.maximum(0, spans[:, 0] - _PATIENT_MARGIN_VOXELS)
    high = np.minimum(tissues.shape[1:], spans[:, 1] + 1 + _PATIENT_MARGIN_VOXELS)
    return low * spacing, high * spacing


def _slice_range(tissues: np.ndarray, spacing: float, geometry: ScanGeometry) -> tuple[float, float]:
    """Lowest and highest border of the stack, mm; trimming stops short of the kidneys."""
    length = tissues.shape[0] * spacing
    slack = abs(np.sin(np.radians(geometry.tilt_deg))) * _HALF_DEPTH_MM
    bottom, top = np.array((0.0, length)) + np.add(geometry.trim_mm, slack) * (1, -1)
    heights = np.flatnonzero(np.isin(tissues, KIDNEY_TISSUES).any((1, 2)))
    if not len(heights):
        return bottom, top
    kidney_low, kidney_high = heights[0] * spacing, (heights[-1] + 1) * spacing
    top = min(length - slack, max(top, kidney_high + _KIDNEY_MARGIN_MM))
    if geometry.kidneys_shown is not None:
        return kidney_high - geometry.kidneys_shown * (kidney_high - kidney_low), top
    return max(slack, min(bottom, kidney_low - _KIDNEY_MARGIN_MM)), top


def _tilted(degrees: float) -> np.ndarray:
    """Direction cosines (x, y, z) of slices turned about the left-right axis."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
