"""Pictures of the results: seconds by phase, peak memory, and both over the length and the spacing of scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..evaluation.extras import require
from .phases import PHASES, START
from .results import middle, middle_phase, runs_of
from .rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_PHASE_COLORS = ("#999999", "#56B4E9", "#009E73", "#0072B2", "#E69F00", "#CC79A7")
_OURS, _PEER = "#0072B2", "#999999"
_WIDTH_INCHES = 8.0


def write_plots(data: dict, rows: Sequence[Row], folder: Path) -> list[Path]:
    """Writes `seconds.png`, `memory.png` and `scaling.png`, those of which there are results; their paths.

    Raises InputError if matplotlib is missing.
    """
    require("matplotlib", "Plots")
    measured = [row for row in rows if runs_of(data, row.key)]
    figures = {}
    if measured:
        figures = {"seconds.png": _seconds_figure(data, measured), "memory.png": _memory_figure(data, measured)}
    if data["scaling"]:
        figures["scaling.png"] = _scaling_figure(list(data["scaling"].values()))
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=130)
    return [folder / name for name in figures]


def _figure(height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _bar_axes(figure: Figure, rows: Sequence[Row], label: str) -> Axes:
    axes = figure.add_subplot()
    axes.set_yticks(range(len(rows)), [row.title for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(label)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def _seconds_figure(data: dict, rows: Sequence[Row]) -> Figure:
    figure = _figure(1.3 + 0.42 * len(rows))
    axes = _bar_axes(figure, rows, "seconds (median)")
    left = [0.0] * len(rows)
    for (phase, title), color in zip(PHASES.items(), _PHASE_COLORS, strict=True):
        # A peer's start is not counted in its total.
        widths = [0.0 if row.is_peer and phase == START else middle_phase(data, row.key, phase) or 0.0 for row in rows]
        axes.barh(range(len(rows)), widths, left=left, color=color, label=title)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for place, total in enumerate(left):
        axes.annotate(f" {total:.1f}", (total, place), va="center")
    axes.margins(x=0.1)
    figure.legend(loc="outside lower center", ncols=len(PHASES), frameon=False, fontsize=8)
    return figure


def _memory_figure(data: dict, rows: Sequence[Row]) -> Figure:
    figure = _figure(0.8 + 0.42 * len(rows))
    axes = _bar_axes(figure, rows, "peak memory, GiB (median)")
    peaks = [middle(data, row.key, "peak_gib") or 0.0 for row in rows]
    axes.barh(range(len(rows)), peaks, color=[_PEER if row.is_peer else _OURS for row in rows])
    for place, peak in enumerate(peaks):
        axes.annotate(f" {peak:.2f}", (peak, place), va="center")
    axes.margins(x=0.1)
    return figure


def _scaling_figure(points: Sequence[dict]) -> Figure:
    figure = _figure(5.6)
    panels = figure.subplots(2, 2)
    curves = (("length", "length_mm", "length of the scan, mm"), ("spacing", "slice_mm", "mm between slices"))
    for column, (curve, x, label) in enumerate(curves):
        chosen = [point for point in points if curve in point["curves"]]
        for row, (value, title) in enumerate((("seconds", "seconds"), ("peak_gib", "peak GiB"))):
            _curve(panels[row][column], chosen, x, value)
            panels[row][column].set_xlabel(label)
            panels[row][column].set_ylabel(title)
    panels[0][0].legend(frameon=False)
    return figure


def _curve(axes: Axes, points: Sequence[dict], x: str, y: str) -> None:
    for preset, color in (("default", _OURS), ("whole", "#E69F00")):
        chosen = sorted((p for p in points if p["preset"] == preset), key=lambda point: point[x])
        if chosen:
            axes.plot([p[x] for p in chosen], [p[y] for p in chosen], "o-", color=color, label=f"ours, {preset}")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
