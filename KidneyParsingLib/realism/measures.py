"""All measures of one CT: single numbers by name, samples of HU and gradients, and the noise spectrum."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from . import noise, regions
from .ct_scan import COMMON_MM, NOISE_MM, CtScan
from .edges import edge_profiles, gradient_magnitude, rise_distance
from .shapes import ARTERY, KIDNEY, VEIN, spine_distances, vessel_shapes

ENHANCED = {"kidney": KIDNEY, "artery": ARTERY, "vein": VEIN}
PLAIN = ("fat", "muscle", "vertebra", "bone", "lung", "air")
_ERODED_MM = 2.0
_MOST_SAMPLES = 20_000
_SKIN_SLICES = 12
# Tissue outside an edge, HU, and the least step to it: air around the skin, fat around the kidney.
_SKIN_EDGE = ((-1100.0, -900.0), 500.0)
_KIDNEY_EDGE = ((-140.0, -40.0), 60.0)


@dataclass
class ScanMeasures:
    """Measures of one scan: `values` by name, `samples` (HU by tissue; |gradient|) and `spectrum` (frequencies in 1/mm,
    power of sum 1). What a scan does not show is missing or NaN."""

    name: str
    phase: str
    slice_mm: float
    values: dict[str, float] = field(default_factory=dict)
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    spectrum: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class _Layers:
    """What several measures of a scan need, on its common grid."""

    scan: CtScan
    smooth: np.ndarray
    body: np.ndarray
    canal: np.ndarray
    tissues: dict[str, np.ndarray]


def measure(scan: CtScan) -> ScanMeasures:
    """Every measure that the scan allows; those of kidney, artery and vein need its labels."""
    layers = _layers(scan)
    found = ScanMeasures(scan.name, scan.phase, scan.spacing[0])
    _add_tissue_hu(found, layers)
    _add_noise(found, layers)
    _add_gradients(found, layers)
    _add_edges(found, layers)
    _add_shapes(found, layers)
    for name, share in regions.class_shares(layers.smooth, layers.body).items():
        found.values[f"share of body: {name}"] = share
    return found


def _layers(scan: CtScan) -> _Layers:
    smooth = ndimage.gaussian_filter(scan.common, 1.2)
    body = regions.body_mask(smooth, COMMON_MM)
    canal = regions.spinal_canal(smooth, body, COMMON_MM)
    tissues = {
        "fat": regions.subcutaneous_fat(smooth, regions.skin_depth(body, COMMON_MM)),
        "muscle": regions.muscle_beside_spine(smooth, body, canal, COMMON_MM),
        "vertebra": regions.vertebral_bodies(smooth, canal, COMMON_MM),
        "bone": regions.posterior_bone(smooth, body, canal, COMMON_MM),
        "lung": regions.lung(smooth, body, COMMON_MM),
        "air": regions.air_around(body, scan.common, COMMON_MM),
    }
    if scan.common_labels is not None:
        for name, value in ENHANCED.items():
            tissues[name] = regions.eroded(scan.common_labels == value, (COMMON_MM,) * 3, _ERODED_MM)
    return _Layers(scan, smooth, body, canal, tissues)


def _add_tissue_hu(found: ScanMeasures, layers: _Layers) -> None:
    for name, mask in layers.tissues.items():
        hu = _sampled(layers.scan.common[mask])
        if len(hu) < 50:
            continue
        low, middle, high = np.percentile(hu, (10, 50, 90))
        found.values[f"{name} HU: median"] = float(middle)
        found.values[f"{name} HU: 10-90 % range"] = float(high - low)
        found.samples[name] = hu


def _add_noise(found: ScanMeasures, layers: _Layers) -> None:
    image = layers.scan.slices
    for name in ("fat", "muscle"):
        found.values[f"noise std: {name}"] = noise.local_std(image, _on(layers.tissues[name], image.shape))
    inside = _on(ndimage.binary_erosion(layers.body & (layers.smooth > -200), iterations=2), image.shape)
    corners = noise.homogeneous_corners(image, inside)
    if not len(corners):
        return
    windows = np.stack([noise.window_at(image, c) for c in corners])
    found.spectrum = noise.power_spectrum(windows, NOISE_MM)
    frequencies, power = found.spectrum
    found.values["noise std: most even windows"] = float(np.median(windows.std((1, 2))))
    found.values["noise spectrum: mean frequency"] = noise.mean_frequency(frequencies, power)
    found.values["noise spectrum: peak frequency"] = float(frequencies[power.argmax()])
    found.values["noise: correlation with the next slice"] = noise.slice_correlation(image, corners)


def _add_gradients(found: ScanMeasures, layers: _Layers) -> None:
    inside = ndimage.binary_erosion(layers.body, iterations=2)
    image = layers.scan.slices
    cases = {
        "gradient, 2 mm grid": gradient_magnitude(layers.scan.common, (COMMON_MM,) * 3)[inside],
        "gradient, in-plane": gradient_magnitude(image, (layers.scan.spacing[0], NOISE_MM, NOISE_MM), True)[
            _on(inside, image.shape)
        ],
    }
    for name, values in cases.items():
        found.samples[name] = _sampled(values)
        for percent in (50, 90, 99):
            found.values[f"{name}: {percent} %"] = float(np.percentile(values, percent)) if len(values) else np.nan


def _add_edges(found: ScanMeasures, layers: _Layers) -> None:
    """Edge widths in-plane, on the grid that all scans share: finer pixels alone would make an edge steeper."""
    scan, spacing = layers.scan, (layers.scan.spacing[0], NOISE_MM, NOISE_MM)
    chosen = np.unique(np.linspace(0, len(scan.slices) - 1, _SKIN_SLICES + 2)[1:-1].round().astype(int))
    stack = scan.slices[chosen]
    body = regions.body_mask(stack, NOISE_MM)
    # Slices this far apart do not enter each other's distances, so every normal lies in its slice.
    if body.any() and not body.all():
        profiles = edge_profiles(stack, body, (1000.0, NOISE_MM, NOISE_MM))
        found.values["edge width: skin"] = rise_distance(profiles, *_SKIN_EDGE)
    if scan.labels is not None and (scan.labels == KIDNEY).any():
        kidney = _on(scan.labels == KIDNEY, scan.slices.shape)
        window = _around(kidney, spacing, 14.0)
        profiles = edge_profiles(scan.slices[window], kidney[window], spacing)
        found.values["edge width: kidney"] = rise_distance(profiles, *_KIDNEY_EDGE)


def _add_shapes(found: ScanMeasures, layers: _Layers) -> None:
    """Vessels beside the kidneys, and how far kidneys lie from the spine; means where a scan has two."""
    scan = layers.scan
    if scan.labels is None:
        return
    heights = (np.arange(len(scan.labels)) + 0.5) * scan.spacing[0] / COMMON_MM - 0.5
    canal_mm = (np.interp(heights, np.arange(len(layers.canal)), layers.canal[:, 1]) + 0.5) * COMMON_MM
    shapes = vessel_shapes(scan.labels, scan.spacing) | spine_distances(scan.labels, canal_mm, scan.spacing)
    found.values |= {name: float(np.mean(values)) for name, values in shapes.items() if values}


def _sampled(values: np.ndarray) -> np.ndarray:
    return values[:: max(1, len(values) // _MOST_SAMPLES)]


def _on(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask on another grid over the same box, nearest voxel."""
    index = [
        np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(int) for n, m in zip(shape, mask.shape, strict=True)
    ]
    return mask[np.ix_(*index)]


def _around(mask: np.ndarray, spacing: tuple[float, ...], margin_mm: float) -> tuple[slice, ...]:
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    pads = [round(margin_mm / s) for s in spacing]
    return tuple(slice(max(0, b.start - p), b.stop + p) for b, p in zip(box, pads, strict=True))
