"""Which scans show how our time and memory grow: longer ones, and ones with thinner or thicker slices."""

from __future__ import annotations

from dataclasses import dataclass

from .rows import SAME_WINDOWS

# Of the scans whose slices are thinner or thicker.
_LENGTH_MM = 256
_PRESETS = {"default": (), "whole": SAME_WINDOWS}


@dataclass(frozen=True)
class Point:
    """A run: a preset on a scan of `slices` slices `slice_mm` apart; `curves` (length, spacing) that it is part of."""

    preset: str
    slices: int
    slice_mm: float
    curves: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its name in results."""
        return f"{self.preset} {self.slices} x {self.slice_mm:g} mm"

    @property
    def arguments(self) -> tuple[str, ...]:
        """Our program's arguments."""
        return _PRESETS[self.preset]


def points(quick: bool = False) -> list[Point]:
    """All points: the presets over the length of the scan, the default one over the distance of its slices."""
    if quick:
        return [Point("default", count, 2.66, ("length",)) for count in (60, 120)]
    longer = [Point(preset, count, 1.0, ("length",)) for count in (128, 256, 512, 768) for preset in _PRESETS]
    thicker = [Point("default", round(_LENGTH_MM / mm), mm, ("spacing",)) for mm in (0.5, 2.0, 4.0)]
    both = Point("default", _LENGTH_MM, 1.0, ("length", "spacing"))
    return [both if point.key == both.key else point for point in longer] + thicker
