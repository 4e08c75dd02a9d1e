"""The one table of metrics: names, titles and units, used by the command line, reports and plots; light to import."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """`name` as on the command line and in files; `tubes_only` metrics are taken of vessels and ureters alone."""

    name: str
    title: str
    unit: str = ""
    tubes_only: bool = False

    @property
    def heading(self) -> str:
        """The title with the unit, if there is one."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def text(self, value: float) -> str:
        """The value as tables show it: three digits of a share, two of mm, a dash for what is not defined."""
        if math.isnan(value):
            return "-"
        return f"{value:.2f}" if self.unit else f"{value:.3f}"


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("dice", "Dice"),
        Metric("surface_dice", "Surface Dice"),
        Metric("hd", "HD", "mm"),
        Metric("hd95", "HD95", "mm"),
        Metric("avd", "AVD", "mm"),
        Metric("cldice", "clDice", tubes_only=True),
        Metric("centerline_recall", "Centerline recall", tubes_only=True),
    )
}
# Where metrics are taken, see `regions`.
REGIONS = ("scan", "roi", "kidneys")
