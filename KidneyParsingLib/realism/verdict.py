"""Rows of the comparison: real, made, tolerance, and whether made is near enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .references import Reference

# Fewer made scans than this say nothing of their spread: such a row is not judged.
LEAST_SCANS = 3
# Share of repetitions in which a row of real scans like the made ones would pass.
CONFIDENCE = 0.9
# Our choice. Noise half as strong again (or two thirds) moves a normal distribution by 0.15 of its 10-90 % range.
SHIFT_TOLERANCE = 0.15
# Our choice: total variation between spectra; a fifth more blur gives about as much.
SPECTRUM_TOLERANCE = 0.15
# Our choice: at most one value in five outside the range that holds 95 % of people.
OUTSIDE_TOLERANCE = 0.2


@dataclass(frozen=True)
class Row:
    """One line of the table; `ok` is None where there is too little to judge."""

    group: str
    measure: str
    unit: str
    real: str
    made: str
    tolerance: str
    ok: bool | None


def prediction_interval(values: Sequence[float], share: float, logarithmic: bool = False) -> tuple[float, float]:
    """The range that holds a further value with probability `share`, by Student's t (by that of the logarithms).

    The range from the 5th to the 95th percentile of normal values for share 0.9, widened as few values demand.
    """
    x = np.log(values) if logarithmic else np.asarray(values, float)
    reach = stats.t.ppf((1 + share) / 2, len(x) - 1) * x.std(ddof=1) * np.sqrt(1 + 1 / len(x))
    low, high = x.mean() - reach, x.mean() + reach
    return (float(np.exp(low)), float(np.exp(high))) if logarithmic else (float(low), float(high))


def value_row(
    group: str, measure: str, unit: str, real: dict[str, float], made: Sequence[float], logarithmic: bool = False
) -> Row:  # fmt: skip
    """Does every real scan's value lie where made scans' values do?

    All real values pass together with probability `CONFIDENCE` if they come from the made scans' distribution, so the
    interval for one of several is wider than for a single one.
    """
    real = {name: v for name, v in real.items() if np.isfinite(v) and (v > 0 or not logarithmic)}
    made = [v for v in made if np.isfinite(v) and (v > 0 or not logarithmic)]
    told = ", ".join(f"{name} {_number(v)}" for name, v in real.items()) or "-"
    if not real or len(made) < LEAST_SCANS:
        return Row(group, measure, unit, told, _spread(made), f"{LEAST_SCANS} made and a real scan needed", None)
    low, high = prediction_interval(made, CONFIDENCE ** (1 / len(real)), logarithmic)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    ok = all(low - slack <= v <= high + slack for v in real.values())
    return Row(group, measure, unit, told, _spread(made), f"{_number(low)} .. {_number(high)}", ok)


def distribution_row(
    group: str, measure: str, unit: str, real: Sequence[np.ndarray], made: Sequence[np.ndarray], centered: bool
) -> Row:  # fmt: skip
    """Wasserstein distance between the pooled real and made samples against a share of the real 10-90 % range.

    With `centered` each scan's median is taken off first, so that width and form are compared and not the level.
    """
    if not real or len(made) < LEAST_SCANS:
        return Row(group, measure, unit, "-", "-", f"{LEAST_SCANS} made and a real scan needed", None)
    pooled = [np.concatenate([_equal_share(s, centered) for s in samples]) for samples in (real, made)]
    ranges = [float(np.subtract(*np.percentile(p, (90, 10)))) for p in pooled]
    distance = float(stats.wasserstein_distance(*pooled))
    limit = SHIFT_TOLERANCE * ranges[0]
    told = f"10-90 % over {_number(ranges[0])}"
    found = f"10-90 % over {_number(ranges[1])}; distance {_number(distance)}"
    return Row(group, measure, unit, told, found, f"distance up to {_number(limit)}", distance <= limit + 1e-9)


def spectrum_row(group: str, real: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> Row:
    """Total variation distance between the mean normalised spectra of real and of made scans."""
    name = "noise spectrum: form"
    if not real or len(made) < LEAST_SCANS:
        return Row(group, name, "", "-", "-", f"{LEAST_SCANS} made and a real scan needed", None)
    distance = float(np.abs(np.mean(real, 0) - np.mean(made, 0)).sum() / 2)
    ok = distance <= SPECTRUM_TOLERANCE
    return Row(group, name, "", f"mean of {len(real)}", f"distance {distance:.2f}", f"up to {SPECTRUM_TOLERANCE}", ok)


def reference_row(group: str, measure: str, unit: str, reference: Reference, made: Sequence[float]) -> Row:
    """Is the made median what two people in three have, and are four made values in five what 95 % have?"""
    told = f"{_number(reference.middle)} ({_range(reference.outer)}; {reference.source})"
    limits = f"median in {_range(reference.inner)}, 80 % in {_range(reference.outer)}"
    if len(made) < LEAST_SCANS:
        return Row(group, measure, unit, told, _spread(made), limits, None)
    outside = np.mean([not reference.outer[0] <= v <= reference.outer[1] for v in made])
    ok = reference.inner[0] <= np.median(made) <= reference.inner[1] and outside <= OUTSIDE_TOLERANCE
    return Row(group, measure, unit, told, f"{_spread(made)}; {outside:.0%} outside", limits, bool(ok))


def share_row(group: str, measure: str, real: float, source: str, made: Sequence[float]) -> Row:
    """Is the real share within the 90 % Wilson interval of the made one?"""
    count = len(made)
    if count < LEAST_SCANS:
        return Row(group, measure, "", f"{real:.0%} ({source})", "-", "", None)
    interval = stats.binomtest(int(np.sum(made)), count).proportion_ci(CONFIDENCE, "wilson")
    tolerance = f"{interval.low:.0%} .. {interval.high:.0%}"
    ok = interval.low <= real <= interval.high
    return Row(group, measure, "", f"{real:.0%} ({source})", f"{np.mean(made):.0%} of {count}", tolerance, bool(ok))


def markdown(rows: Sequence[Row]) -> str:
    """The rows as one Markdown table."""
    lines = ["| | measure | real | made | tolerance | ok |", "|---|---|---|---|---|---|"]
    for row in rows:
        measure = f"{row.measure}, {row.unit}" if row.unit else row.measure
        verdict = {True: "yes", False: "**NO**", None: "not judged"}[row.ok]
        lines.append(f"| {row.group} | {measure} | {row.real} | {row.made} | {row.tolerance} | {verdict} |")
    return "\n".join(lines) + "\n"


def _equal_share(sample: np.ndarray, centered: bool, count: int = 2000) -> np.ndarray:
    """`count` quantiles of a sample, so that every scan weighs the same."""
    quantiles = np.quantile(sample, (np.arange(count) + 0.5) / count)
    return quantiles - np.median(sample) if centered else quantiles


def _spread(values: Sequence[float]) -> str:
    if not len(values):
        return "-"
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"{_number(middle)} ({_range((low, high))}; n {len(values)})"


def _range(limits: tuple[float, float]) -> str:
    return f"{_number(limits[0])} .. {_number(limits[1])}"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
