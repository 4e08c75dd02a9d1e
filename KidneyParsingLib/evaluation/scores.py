"""All scores of one case: what evaluation, benchmarks and reports call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..anatomy import STRUCTURES
from .catalog import METRICS
from .metrics import measure
from .pairs import MaskPair
from .targets import TARGETS, Target

Scores = dict[str, dict[str, float]]


class Row(NamedTuple):
    """One value: of one metric, of one structure (or class of KiTS), in one case."""

    case: str
    structure: str
    metric: str
    value: float


def case_scores(
    predicted: np.ndarray,
    truth: np.ndarray,
    spacing: tuple[float, ...],
    structures: Iterable[str] | None = None,
    metrics: Sequence[str] = ("dice", "hd"),
) -> Scores:
    """Every metric of every structure: structure -> metric -> value.

    `predicted` and `truth` hold structure labels (`anatomy.Structure.label`) (z, y, x); `spacing` is in mm in that
    order. `structures` are names of structures or of KiTS's classes (keys of `targets.TARGETS`); without it they are
    the structures in the truth. `metrics` are keys of `catalog.METRICS`; those of tubes are left out of other
    structures. For empty masks see `metrics.measure`. Raises KeyError for a name that there is not, InputError if a
    metric needs a package that is missing.
    """
    targets = [TARGETS[name] for name in (present_structures(truth) if structures is None else structures)]
    return {target.name: _scores(predicted, truth, spacing, target, metrics) for target in targets}


def evaluate_case(
    predicted: np.ndarray,
    truth: np.ndarray,
    spacing: tuple[float, ...],
    structures: Iterable[str] | None = None,
    metrics: Sequence[str] = ("dice", "hd"),
    case: str = "",
) -> list[Row]:
    """`case_scores` as rows of a report, with the name of the case."""
    scores = case_scores(predicted, truth, spacing, structures, metrics)
    return [Row(case, name, metric, value) for name, values in scores.items() for metric, value in values.items()]


def present_structures(labels: np.ndarray) -> list[str]:
    """Names of the structures that have a voxel in a map of structure labels."""
    return [entry.name for entry in STRUCTURES if (labels == entry.label).any()]


def _scores(
    predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...], target: Target, metrics: Sequence[str]
) -> dict[str, float]:
    pair = MaskPair(_mask(predicted, target), _mask(truth, target), spacing)
    chosen = [name for name in metrics if target.is_tube or not METRICS[name].tubes_only]
    return {name: measure(name, pair, target) for name in chosen}


def _mask(labels: np.ndarray, target: Target) -> np.ndarray:
    return np.isin(labels, target.labels)
