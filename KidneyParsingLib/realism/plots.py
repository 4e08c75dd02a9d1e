"""Pictures of made against real: HU by tissue, noise spectrum, gradients, sizes. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.extras import require
from .measures import ENHANCED, PLAIN, ScanMeasures
from .references import LITERATURE
from .shapes import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue and vermilion of Okabe and Ito (2008), apart for colour-blind readers too.
_REAL, _MADE = "#0072B2", "#D55E00"
_SIZES = ("kidney volume", "tumor diameter", "aorta calibre", "cava calibre", "renal artery calibre",
          "renal vein calibre", "ureter width", "ureter length")  # fmt: skip
_DPI = 64


def write_plots(
    real: Sequence[ScanMeasures], made: Sequence[ScanMeasures], made_shapes: Values, atlas: Values, folder: Path
) -> list[Path]:  # fmt: skip
    """Write realism_hu, _noise, _gradient and _sizes.png into a folder that exists, and return their paths.

    Raises InputError if matplotlib is missing.
    """
    require("matplotlib", "Plots")
    figures = {
        "hu": _hu_figure(real, made),
        "noise": _noise_figure(real, made),
        "gradient": _gradient_figure(real, made),
        "sizes": _sizes_figure(made_shapes, atlas),
    }
    paths = {name: Path(folder) / f"realism_{name}.png" for name in figures}
    for name, figure in figures.items():
        figure.savefig(paths[name], dpi=_DPI)
    return list(paths.values())


def _figure(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * columns, 2.5 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False).ravel()


def _hu_figure(real: Sequence[ScanMeasures], made: Sequence[ScanMeasures]) -> Figure:
    figure, panels = _figure(3, 3)
    for axes, name in zip(panels, (*ENHANCED, *PLAIN), strict=True):
        _densities(axes, name, real, made)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("HU", fontsize=8)
    _legend(panels[0])
    return figure


def _gradient_figure(real: Sequence[ScanMeasures], made: Sequence[ScanMeasures]) -> Figure:
    names = ("gradient, 2 mm grid", "gradient, in-plane")
    figure, panels = _figure(1, 2)
    for axes, name in zip(panels, names, strict=True):
        _densities(axes, name, real, made)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("HU/mm", fontsize=8)
        axes.set_yscale("log")
    _legend(panels[0])
    return figure


def _densities(axes: Axes, name: str, real: Sequence[ScanMeasures], made: Sequence[ScanMeasures]) -> None:
    """A line of density for every scan that has samples of this name."""
    samples = [(s.samples[name], color) for scans, color in ((made, _MADE), (real, _REAL)) for s in scans
               if name in s.samples]  # fmt: skip
    axes.tick_params(labelsize=7)
    axes.set_yticks([])
    if not samples:
        return
    low, high = np.percentile(np.concatenate([s for s, _ in samples]), (0.5, 99.5))
    edges = np.linspace(low, max(high, low + 1), 61)
    for values, color in samples:
        density, _ = np.histogram(values, edges, density=True)
        axes.plot(edges[1:], density, color=color, lw=1.6 if color == _REAL else 0.7)


def _noise_figure(real: Sequence[ScanMeasures], made: Sequence[ScanMeasures]) -> Figure:
    figure, panels = _figure(1, 2)
    for scans, color, width in ((made, _MADE, 0.7), (real, _REAL, 1.6)):
        for scan in scans:
            if scan.spectrum:
                panels[0].plot(*scan.spectrum, color=color, lw=width)
            std = [scan.values.get(f"noise std: {name}", np.nan) for name in ("muscle", "fat")]
            panels[1].plot(*std, "o", color=color, ms=3 * width)
    panels[0].set_title("noise spectrum, 1/mm", fontsize=9)
    panels[1].set_title("noise std, HU: fat over muscle", fontsize=9)
    for axes in panels:
        axes.tick_params(labelsize=7)
    _legend(panels[0])
    return figure


def _sizes_figure(made: Values, atlas: Values) -> Figure:
    figure, panels = _figure(2, 4)
    rng = np.random.default_rng(0)
    for axes, name in zip(panels, _SIZES, strict=True):
        for place, values, color in ((0, atlas.get(name, []), _REAL), (1, made.get(name, []), _MADE)):
            axes.plot(place + rng.uniform(-0.15, 0.15, len(values)), values, "o", color=color, ms=3, alpha=0.6)
        if name in LITERATURE:
            axes.fill_between((-0.3, 0.3), *LITERATURE[name].outer, color=_REAL, alpha=0.25)
            axes.fill_between((-0.3, 0.3), *LITERATURE[name].inner, color=_REAL, alpha=0.4)
        axes.set_xlim(-0.5, 1.5)
        axes.set_ylim(bottom=0)
        axes.set_xticks((0, 1), ("real", "made"), fontsize=8)
        axes.tick_params(labelsize=7)
        axes.set_title(f"{name}, {'ml' if 'volume' in name else 'mm'}", fontsize=9)
    return figure


def _legend(axes: Axes) -> None:
    axes.plot([], [], color=_REAL, label="real")
    axes.plot([], [], color=_MADE, label="made")
    axes.legend(fontsize=7)
