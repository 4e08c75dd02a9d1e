"""Scores of many cases as a CSV file, and their summary as a Markdown table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from ..volumes.writing import replacing
from .catalog import METRICS, Metric
from .scores import Row

CSV_SUFFIXES = (".csv",)
MARKDOWN_SUFFIXES = (".md",)
_FOOTNOTE = (
    "Mean ± standard deviation (number of cases). Where only one of result and reference has the structure, it is "
    "missed (or falsely found): its distances are infinite and do not count in the mean."
)


class Summary(NamedTuple):
    """Mean and sample standard deviation of the `n` finite values, and how many were infinite (one mask empty)."""

    mean: float
    sd: float
    n: int
    missed: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Summary:
        """NaN values are left out; mean is NaN without a finite value, `sd` with less than two."""
        values = list(values)
        finite = [value for value in values if math.isfinite(value)]
        sd = stdev(finite) if len(finite) > 1 else math.nan
        missed = sum(math.isinf(value) for value in values)
        return cls(fmean(finite) if finite else math.nan, sd, len(finite), missed)


def summary(rows: Sequence[Row]) -> dict[str, dict[str, Summary]]:
    """Structure -> metric -> summary over the cases."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        values.setdefault(row.structure, {}).setdefault(row.metric, []).append(row.value)
    return {name: {metric: Summary.of(of_cases) for metric, of_cases in m.items()} for name, m in values.items()}


def csv_text(rows: Sequence[Row]) -> str:
    """A line for every case, structure and metric; `inf` where one mask is empty, `nan` where nothing is defined."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(row._replace(value=f"{row.value:.6g}") for row in rows)
    return text.getvalue()


def case_markdown(rows: Sequence[Row]) -> str:
    """The values of one case as a table: a line for every structure."""
    cells = {(row.structure, row.metric): METRICS[row.metric].text(row.value) for row in rows}
    return _table(rows, lambda name, metric: cells.get((name, metric.name), ""))


def summary_markdown(rows: Sequence[Row]) -> str:
    """Mean, standard deviation and number of cases as a table: a line for every structure."""
    found = summary(rows)
    return _table(rows, lambda name, metric: _summary_cell(metric, found[name].get(metric.name)))


def write_csv(rows: Sequence[Row], path: str | Path) -> None:
    """Write `csv_text`, whole or not at all; a file at `path` is replaced."""
    _write(csv_text(rows), Path(path), CSV_SUFFIXES)


def write_markdown(rows: Sequence[Row], path: str | Path) -> None:
    """Write `summary_markdown` with a line that explains it, whole or not at all; a file at `path` is replaced."""
    _write(f"{summary_markdown(rows)}\n\n{_FOOTNOTE}\n", Path(path), MARKDOWN_SUFFIXES)


def _write(text: str, path: Path, suffixes: tuple[str, ...]) -> None:
    with replacing(path, suffixes) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _summary_cell(metric: Metric, found: Summary | None) -> str:
    if found is None:
        return ""
    spread = "" if math.isnan(found.sd) else f" ± {metric.text(found.sd)}"
    missed = f", {found.missed} missed" if found.missed else ""
    return f"{metric.text(found.mean)}{spread} ({found.n}{missed})"


def _table(rows: Sequence[Row], cell: Callable[[str, Metric], str]) -> str:
    """A Markdown table, padded so that it reads well on a terminal too."""
    metrics = [METRICS[name] for name in dict.fromkeys(row.metric for row in rows)]
    lines = [["structure", *(metric.heading for metric in metrics)]]
    lines += [[name, *(cell(name, metric) for metric in metrics)] for name in dict.fromkeys(r.structure for r in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    padded = (map(str.ljust, line, widths) for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)
