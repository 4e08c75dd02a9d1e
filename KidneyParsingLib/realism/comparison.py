"""The rows of the table from measures of real and of made scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .measures import ENHANCED, PLAIN, ScanMeasures
from .references import LITERATURE, Reference
from .shapes import Values
from .verdict import Row, distribution_row, reference_row, share_row, spectrum_row, value_row

_GRADIENTS = ("gradient, 2 mm grid", "gradient, in-plane")
_SHARES = ("fat", "soft", "dense", "gas")
_SLICE_RATIO = 1.25
# The atlas measures what made truth is measured for: sizes, lesions and the kidneys' places.
_ATLAS_SIZES = {
    "kidney volume": "ml", "tumor diameter": "mm", "tumor volume": "ml", "cyst diameter": "mm",
    "left kidney higher by": "mm", "distance between kidneys": "mm",
}  # fmt: skip


@dataclass(frozen=True)
class Sides:
    """Measures of the real and of the made scans that are compared."""

    real: Sequence[ScanMeasures]
    made: Sequence[ScanMeasures]

    def values(self, name: str) -> tuple[dict[str, float], list[float]]:
        """One measure of all scans: real by scan name, made as a list."""
        real = {scan.name: scan.values[name] for scan in self.real if name in scan.values}
        return real, [scan.values[name] for scan in self.made if name in scan.values]

    def samples(self, name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """One distribution of all scans."""
        return tuple([s.samples[name] for s in scans if name in s.samples] for scans in (self.real, self.made))

    def of_phase(self, phase: str) -> Sides:
        """The scans of one contrast phase."""
        return Sides(*([s for s in scans if s.phase == phase] for scans in (self.real, self.made)))

    def of_slices_like(self) -> Sides:
        """The real scans whose slice distance is within a quarter of the made ones'."""
        typical = float(np.median([s.slice_mm for s in self.made]))
        near = [s for s in self.real if 1 / _SLICE_RATIO < s.slice_mm / typical < _SLICE_RATIO]
        return Sides(near, self.made)


def compare(real: Sequence[ScanMeasures], made: Sequence[ScanMeasures]) -> list[Row]:
    """HU, noise, gradients, edges, vessels and body composition of made against real scans."""
    sides = Sides(real, made)
    rows = _hu_rows(sides) + _noise_rows(sides) + _edge_rows(sides)
    for name in ("aorta calibre", "cava calibre", "kidney centre to spine", "kidney edge to spine"):
        rows.append(value_row("shape", name, "mm", *sides.values(name), logarithmic=True))
    for name in _SHARES:
        rows.append(value_row("composition", f"share of body: {name}", "", *sides.values(f"share of body: {name}")))
    return rows


def compare_shapes(made: Values, atlas: Values) -> list[Row]:
    """Sizes of made truth against the kidney atlas and published ranges."""
    rows = []
    for name, unit in _ATLAS_SIZES.items():
        if len(atlas.get(name, [])) >= 10:
            reference = Reference.of_sample(atlas[name], f"atlas, n {len(atlas[name])}")
            rows.append(reference_row("shape", name, unit, reference, made.get(name, [])))
    for name in ("kidneys with tumor", "kidneys with cyst"):
        if atlas.get(name):
            source = f"atlas, n {len(atlas[name])}"
            rows.append(share_row("shape", name, float(np.mean(atlas[name])), source, made.get(name, [])))
    rows += [reference_row("shape", name, "mm", LITERATURE[name], made.get(name, [])) for name in LITERATURE]
    return rows


def _hu_rows(sides: Sides) -> list[Row]:
    rows = []
    for name in ENHANCED:
        for phase in dict.fromkeys(s.phase for s in sides.real if f"{name} HU: median" in s.values):
            rows += _level_rows(sides.of_phase(phase), name, f", {phase}")
    for name in PLAIN:
        rows += _level_rows(sides, name)
    for name in (*ENHANCED, *PLAIN):
        rows.append(distribution_row("HU", f"{name} HU: form about the median", "HU", *sides.samples(name), True))
    return rows


def _level_rows(sides: Sides, name: str, suffix: str = "") -> list[Row]:
    median, width = f"{name} HU: median", f"{name} HU: 10-90 % range"
    return [
        value_row("HU", median + suffix, "HU", *sides.values(median)),
        value_row("HU", width + suffix, "HU", *sides.values(width), logarithmic=True),
    ]


def _noise_rows(sides: Sides) -> list[Row]:
    rows = [
        value_row("noise", f"noise std: {name}", "HU", *sides.values(f"noise std: {name}"), logarithmic=True)
        for name in ("fat", "muscle", "most even windows")
    ]
    for name in ("mean", "peak"):
        measure = f"noise spectrum: {name} frequency"
        rows.append(value_row("noise", measure, "1/mm", *sides.values(measure), logarithmic=True))
    spectra = [[s.spectrum[1] for s in scans if s.spectrum] for scans in (sides.real, sides.made)]
    rows.append(spectrum_row("noise", *spectra))
    measure = "noise: correlation with the next slice"
    rows.append(value_row("noise", measure, "", *sides.of_slices_like().values(measure)))
    return rows


def _edge_rows(sides: Sides) -> list[Row]:
    rows = []
    for name in _GRADIENTS:
        for percent in (50, 90, 99):
            measure = f"{name}: {percent} %"
            rows.append(value_row("gradient", measure, "HU/mm", *sides.values(measure), logarithmic=True))
        rows.append(distribution_row("gradient", f"{name}: form", "HU/mm", *sides.samples(name), False))
    for name in ("edge width: skin", "edge width: kidney"):
        rows.append(value_row("gradient", name, "mm", *sides.values(name), logarithmic=True))
    return rows
