"""What a CT is before it is parsed (size, coverage, what may go wrong), and its contrast phase afterwards.

Both look at a fraction of the voxels only, so that a panel can show them at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..anatomy import SEGMENTS
from ..sentences import texts_of
from .geometry import direction_of, spacing_of
from .volume import Volume

_ = texts_of(__name__)

THICK_MM = 3.0
FEW_SLICES = 24
SHORT_MM = 120.0
NARROW_MM = 200.0
TILT_DEGREES = 10.0
# A side of the picture of which more than this is tissue cuts the body; the table alone is less.
CUT_SHARE = 0.15
TISSUE_HU = -200
LUNG_HU = (-950, -600)
LUNG_SHARE = 0.1
_PLANES, _PIXELS, _GAP_PIXELS = 48, 128, 32

NO_CONTRAST = "no contrast"
ARTERIAL = "arterial"
CORTICOMEDULLARY = "corticomedullary"
PORTAL = "portal / nephrographic"
EXCRETORY = "excretory"
UNKNOWN = "unknown"
# Without contrast kidney has 26-42 HU and blood 35-50; with it one of them has more, always (docs/appearance.md).
MOST_PLAIN_HU = 65.0
TISSUES = ("artery", "vein", "cortex", "medulla", "ureter")


@dataclass(frozen=True)
class ScanOverview:
    """A scan in a few figures: `spacing_mm` and `shape` along the index axes (x, y, z), `extent_mm` of the patient
    (left to right, front to back, along the body), `slices` along the coarsest axis, `covers` in words, `warnings` as
    sentences."""

    spacing_mm: tuple[float, float, float]
    shape: tuple[int, int, int]
    extent_mm: tuple[float, float, float]
    slices: int
    covers: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Contrast:
    """A contrast phase (one of those above, or "unknown") and the median HU by which it is told, by tissue; `cortex`
    and `medulla` are the kidney's 85th and 15th percentile. Tissues of which too little was found are left out."""

    phase: str
    hu: Mapping[str, int]


def scan_overview(volume: Volume) -> ScanOverview:
    """What to tell about a CT (HU array z, y, x) before it is parsed, from a small part of its voxels."""
    spacing, shape = spacing_of(volume.affine), np.array(volume.array.shape[::-1])
    axes = _patient_axes(volume.affine)
    extent = (shape * spacing)[list(axes)]
    planes = _subsample(volume, axes)
    coarsest = int(np.argmax(spacing)) if spacing.max() > 1.05 * np.median(spacing) else 2
    odd_values = _value_warnings(planes)
    lung = np.zeros(0) if odd_values else _lung_shares(planes)
    warnings = [
        *odd_values,
        *_gap_warnings(volume, axes[2]),
        *_grid_warnings(spacing, int(shape[coarsest]), float(extent[2]), _tilt_degrees(volume.affine)),
        *([] if odd_values else _width_warnings(planes, extent)),
        *_lung_warnings(lung),
    ]
    covers = _coverage(lung, float(extent[2]))
    return ScanOverview(_floats(spacing), _ints(shape), _floats(extent), int(shape[coarsest]), covers, tuple(warnings))


def measure_contrast(hu: np.ndarray, labels: np.ndarray) -> Contrast:
    """The phase of a parsed CT and the HU that tell it.

    `hu` and `labels` are arrays (z, y, x) on one grid; `labels` holds values of a `LabelMap` or structures 1..6.
    Thresholds on median HU lie between the ranges of docs/appearance.md and the sources that it cites.
    """
    samples = _samples(hu, labels)
    tissues = {name: float(np.median(values)) for name, values in samples.items() if name != "kidney"}
    if "kidney" in samples:
        # Cortex and medulla are not segmented: the kidney's brighter and darker parts stand for them.
        tissues["medulla"], tissues["cortex"] = (float(hu) for hu in np.percentile(samples["kidney"], (15, 85)))
        tissues["kidney"] = float(np.median(samples["kidney"]))
    return Contrast(_phase(tissues), {name: round(tissues[name]) for name in TISSUES if name in tissues})


def _phase(hu: dict[str, float]) -> str:
    if "kidney" not in hu or not {"artery", "vein"} & set(hu):
        return UNKNOWN
    blood = max(hu.get("artery", -np.inf), hu.get("vein", -np.inf))
    # Urine of 120 HU and more is brighter than blood in the excretory phase only.
    if hu.get("ureter", 0.0) > max(120.0, blood + 40):
        return EXCRETORY
    if max(blood, hu["kidney"]) < MOST_PLAIN_HU:
        return NO_CONTRAST
    return _phase_of_vessels(hu["artery"], hu["cortex"], hu["medulla"]) if "artery" in hu else UNKNOWN


def _phase_of_vessels(artery: float, cortex: float, medulla: float) -> str:
    # Cortex exceeds medulla by 110 HU and more until 30 s, by less than 30 HU from 45 s on.
    banded = cortex - medulla > 0.42 * cortex
    if not banded and artery < 1.3 * cortex:
        return PORTAL
    # The aorta peaks 6 s before the cortex, and falls while the cortex stays.
    return ARTERIAL if artery > 1.45 * cortex else CORTICOMEDULLARY


def _samples(hu: np.ndarray, labels: np.ndarray, at_least: int = 20) -> dict[str, np.ndarray]:
    """HU of each structure of at least `at_least` voxels, some thousands of them, away from its edges if it can be."""
    values: dict[str, list[int]] = {}
    for segment in SEGMENTS:
        values.setdefault(segment.structure.name, []).append(segment.value)
    # One pass over the whole scan; what follows looks at the labelled voxels only.
    labelled = np.flatnonzero(labels)
    found = labels.ravel()[labelled]
    samples = {}
    for name, wanted in values.items():
        places = labelled[np.isin(found, wanted)]
        if places.size >= at_least:
            places = places[:: max(1, places.size // 50_000)]
            found_hu = hu.ravel()[_inner(labels, places, wanted)]
            samples[name] = found_hu[np.isfinite(found_hu)]
    return {name: found_hu for name, found_hu in samples.items() if found_hu.size}


def _inner(labels: np.ndarray, places: np.ndarray, wanted: list[int]) -> np.ndarray:
    """Those of the places (flat indices) that are two voxels away from the edge in their plane, if a quarter is."""
    flat, inside = labels.ravel(), np.ones(places.size, bool)
    for step in (-2, 2, -2 * labels.shape[2], 2 * labels.shape[2]):
        inside &= np.isin(flat[np.clip(places + step, 0, flat.size - 1)], wanted)
    return places[inside] if inside.mean() >= 0.25 else places


def _patient_axes(affine: np.ndarray) -> tuple[int, int, int]:
    """Index axes (of x, y, z) nearest to left-right, front-back and along the body, each used once."""
    size = np.abs(direction_of(affine))
    along = int(np.argmax(size[2]))
    side = max((axis for axis in range(3) if axis != along), key=lambda axis: size[0, axis])
    return side, 3 - along - side, along


def _subsample(volume: Volume, axes: tuple[int, int, int]) -> np.ndarray:
    """int array (from head to feet, front to back or back to front, sides) of a fraction of the voxels."""
    order = [2 - axis for axis in (axes[2], axes[1], axes[0])]
    steps = [max(1, -(-size // limit)) for size, limit in zip(volume.array.shape, _limits(order), strict=True)]
    planes = volume.array[tuple(slice(None, None, step) for step in steps)].transpose(order)
    # Readers may mark what lies outside the field of view by values that are no numbers.
    planes = np.nan_to_num(planes, nan=-1024.0).astype(np.int32)
    return planes[::-1] if volume.affine[2, axes[2]] > 0 else planes


def _limits(order: list[int]) -> list[int]:
    return [_PLANES if axis == order[0] else _PIXELS for axis in range(3)]


def _tilt_degrees(affine: np.ndarray) -> float:
    """The largest angle between an index axis and the patient axis nearest to it."""
    return float(np.degrees(np.arccos(np.clip(np.abs(direction_of(affine)).max(axis=0).min(), 0.0, 1.0))))


def _value_warnings(planes: np.ndarray) -> list[str]:
    lowest, highest = int(planes.min()), int(planes.max())
    if lowest == highest:
        return [_("All voxels are alike; open the CT again.")]
    if lowest >= 0 and highest <= 255:
        return [_("The values are grey values from 0 to 255, not HU; export the CT from its DICOM files.")]
    if lowest < 0:
        return []
    fat_to_blood = ((planes > 1024 - 150) & (planes < 1024 + 300)).mean()
    if fat_to_blood > 0.2:
        return [_("The values look like HU + 1024; subtract 1024 first, or export the CT from its DICOM files.")]
    return [_("No value is below 0, so this may not be a CT in HU; the result will not be reliable.")]


def _grid_warnings(spacing: np.ndarray, slices: int, length_mm: float, tilt: float) -> list[str]:
    warnings = []
    if spacing.max() > THICK_MM:
        text = _("The slices are {mm:.1f} mm apart; thin vessels and ureters may be missed or interrupted.")
        warnings.append(text.format(mm=spacing.max()))
    if slices < FEW_SLICES:
        warnings.append(_("There are only {slices} slices; small structures may be missed.").format(slices=slices))
    if length_mm < SHORT_MM:
        text = _("The scan covers only {cm:.0f} cm of the body; a kidney may be cut.")
        warnings.append(text.format(cm=length_mm / 10))
    if tilt > TILT_DEGREES:
        text = _("The scan is tilted by {degrees:.0f} degrees against the body; parsing it is less reliable.")
        warnings.append(text.format(degrees=tilt))
    return warnings


def _width_warnings(planes: np.ndarray, extent_mm: np.ndarray) -> list[str]:
    """Where the picture ends within the body: sides, or both of front and back, as a table may lie on either."""
    width = float(min(extent_mm[:2]))
    if width < NARROW_MM:
        return [_("The picture is only {cm:.0f} cm wide; what lies outside is not parsed.").format(cm=width / 10)]
    tissue = planes > TISSUE_HU
    sides = [share > CUT_SHARE for share in (tissue[..., 0].mean(), tissue[..., -1].mean())]
    ends = [share > CUT_SHARE for share in (tissue[:, 0].mean(), tissue[:, -1].mean())]
    if not (any(sides) or all(ends)):
        return []
    return [_("The picture ends within the body at the side, front or back; what lies outside is not parsed.")]


def _lung_warnings(lung: np.ndarray) -> list[str]:
    ends_in_lungs = lung.size and lung[-1] > LUNG_SHARE
    return [_("The scan ends within the lungs; kidneys lie below them.")] if ends_in_lungs else []


def _gap_warnings(volume: Volume, along: int) -> list[str]:
    """Empty slices between others; at the ends they are the rim of a scan that was put onto another grid."""
    slices = np.moveaxis(volume.array, 2 - along, 0)
    steps = [max(1, size // _GAP_PIXELS) for size in slices.shape[1:]]
    seen = slices[:, :: steps[0], :: steps[1]]
    filled = np.flatnonzero(seen.min(axis=(1, 2)) != seen.max(axis=(1, 2)))
    if not filled.size or filled.size == filled[-1] - filled[0] + 1:
        return []
    return [_("Slices between others are empty; what lies there is not parsed. Import all slices of the CT.")]


def _coverage(lung: np.ndarray, length_mm: float) -> str:
    cm = length_mm / 10
    if not lung.size:
        return _("{cm:.0f} cm along the body").format(cm=cm)
    planes = np.flatnonzero(lung >= LUNG_SHARE)
    if not planes.size:
        return _("{cm:.0f} cm along the body, from below the lungs").format(cm=cm)
    lung_cm = max(1, round((planes[-1] - planes[0] + 1) / len(lung) * cm))
    # Shoulders or neck above the lungs mean that they are there whole.
    if planes[0] <= len(lung) // 50:
        return _("{cm:.0f} cm along the body, with {lung} cm of lungs at its upper end").format(cm=cm, lung=lung_cm)
    return _("{cm:.0f} cm along the body, with {lung} cm of lungs below its upper end").format(cm=cm, lung=lung_cm)


def _lung_shares(planes: np.ndarray) -> np.ndarray:
    """Share of lung in the body by plane, from head to feet; empty where the body's outline cannot be made out."""
    inside = _within_body(planes)
    if inside.mean() < 0.05:
        return np.zeros(0)
    lung = inside & (planes > LUNG_HU[0]) & (planes < LUNG_HU[1])
    return lung.sum(axis=(1, 2)) / np.maximum(inside.sum(axis=(1, 2)), 1)


def _within_body(planes: np.ndarray) -> np.ndarray:
    """What has tissue on all four sides of it in its plane; the thin shells of a table, and its foam, do not count."""
    from scipy import ndimage  # takes long to import, and the engine needs no more than a number from here

    tissue = ndimage.binary_opening(planes > TISSUE_HU, np.ones((1, 4, 4), bool))
    enclosed = np.ones_like(tissue)
    for axis in (1, 2):
        enclosed &= np.logical_or.accumulate(tissue, axis=axis)
        enclosed &= np.flip(np.logical_or.accumulate(np.flip(tissue, axis), axis=axis), axis)
    return enclosed


def _floats(values: np.ndarray) -> tuple[float, float, float]:
    return tuple(round(float(value), 3) for value in values)


def _ints(values: np.ndarray) -> tuple[int, int, int]:
    return tuple(int(value) for value in values)
