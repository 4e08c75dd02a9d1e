"""One picture per structure: every case as a point, a box over them, one panel for each metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..volumes.writing import replacing
from .catalog import METRICS, Metric
from .extras import require
from .scores import Row
from .targets import TARGETS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PNG_SUFFIXES = (".png",)
_INK = "#333333"
_PANEL_INCHES = (2.1, 3.3)
_LEAST_INCHES = 2.8
_MOST_IN_LINE = 4
_JITTER = 0.13
# Fewer cases than this are shown as points alone: a box of less than five numbers says nothing.
_LEAST_FOR_BOX = 5


def plot_path(folder: str | Path, structure: str) -> Path:
    """The picture of a structure in this folder."""
    return Path(folder) / f"{structure}.png"


def write_plots(rows: Sequence[Row], folder: str | Path) -> list[Path]:
    """Write a PNG for every structure into a folder that exists, and return their paths; files there are replaced.

    Raises InputError if matplotlib is missing.
    """
    require("matplotlib", "Plots")
    paths = []
    for name in dict.fromkeys(row.structure for row in rows):
        path = plot_path(folder, name)
        figure = _figure(name, [row for row in rows if row.structure == name])
        with replacing(path, PNG_SUFFIXES) as temporary:
            figure.savefig(temporary, dpi=150)
        paths.append(path)
    return paths


def _figure(name: str, rows: Sequence[Row]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    metrics = list(dict.fromkeys(row.metric for row in rows))
    lines = math.ceil(len(metrics) / _MOST_IN_LINE)
    columns = math.ceil(len(metrics) / lines)
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(max(width * columns, _LEAST_INCHES), height * lines + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    figure.suptitle(_title(name, len({row.case for row in rows})), color=_INK, fontsize=12)
    color = tuple(channel / 255 for channel in TARGETS[name].color)
    for place, metric in enumerate(metrics, start=1):
        values = np.array([row.value for row in rows if row.metric == metric])
        _panel(figure.add_subplot(lines, columns, place), METRICS[metric], values, color)
    return figure


def _title(name: str, cases: int) -> str:
    return f"{name.replace('_', ' ').capitalize()}, {cases} case{'s' * (cases != 1)}"


def _panel(axes: Axes, metric: Metric, values: np.ndarray, color: tuple[float, ...]) -> None:
    finite = values[np.isfinite(values)]
    if len(finite) >= _LEAST_FOR_BOX:
        _box(axes, finite, color)
    # The same picture from the same numbers: the points' places follow from their order, not from chance.
    places = 1 + _JITTER * np.sin(2.4 * np.arange(len(finite)))
    axes.scatter(places, finite, s=22, color=[color], edgecolors=_INK, linewidths=0.6, alpha=0.9, zorder=3)
    axes.set_title(metric.heading, fontsize=10, color=_INK)
    axes.set_xlim(0.6, 1.4)
    axes.set_xticks([1], [_count(values)], fontsize=9)
    axes.set_ylim(*_limits(metric, finite))
    axes.locator_params(axis="y", nbins=6)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, labelsize=9, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _box(axes: Axes, values: np.ndarray, color: tuple[float, ...]) -> None:
    line = {"color": _INK, "linewidth": 1.2}
    axes.boxplot(
        values,
        widths=0.45,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": (*color, 0.25), "edgecolor": _INK, "linewidth": 1.2},
        medianprops={"color": _INK, "linewidth": 2.2},
        whiskerprops=line,
        capprops=line,
    )


def _count(values: np.ndarray) -> str:
    missed = int(np.isinf(values).sum())
    return f"n = {int(np.isfinite(values).sum())}" + (f"\n{missed} missed" if missed else "")


def _limits(metric: Metric, values: np.ndarray) -> tuple[float, float]:
    """Shares up to 1, from a tenth below the least; distances from 0."""
    if metric.unit:
        return 0.0, 1.08 * max(values.max(initial=0.0), 0.1)
    low = math.floor(10 * values.min(initial=1.0) - 0.2) / 10
    return max(low, 0.0) - 0.01, 1.01
