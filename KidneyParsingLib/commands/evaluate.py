"""`kidneyparsing evaluate`: how well segmentations agree with references."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..evaluation.catalog import METRICS, REGIONS
from ..evaluation.challenges import LABEL_CONVENTIONS
from ..evaluation.targets import TARGETS

if TYPE_CHECKING:
    from ..evaluation.case_files import CaseFiles
    from ..evaluation.scores import Row

_DESCRIPTION = (
    "Scores by structure: Dice, or the metrics named. RESULT and REFERENCE are two files, or two folders of equally "
    "named files; folders give mean, standard deviation and number of cases."
)


def add_evaluate_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `evaluate`."""
    parser = subparsers.add_parser("evaluate", help="compare with a reference", description=_DESCRIPTION)
    parser.add_argument("result", metavar="RESULT", type=Path, help=".seg.nrrd that segment wrote, or .nii.gz labels")
    parser.add_argument("reference", metavar="REFERENCE", type=Path, help="labels 1..6 on the same grid")
    parser.add_argument("--ignore", type=int, metavar="LABEL", help="reference label of voxels that do not count")
    parser.add_argument("--metrics", metavar="A,B", default="dice", help=f"{', '.join(METRICS)}, or all (default dice)")
    parser.add_argument("--structures", metavar="A,B", help=f"{', '.join(TARGETS)} (default: those of the reference)")
    parser.add_argument("--labels", choices=LABEL_CONVENTIONS, help="the challenge whose labels the reference has")
    parser.add_argument("--region", choices=REGIONS, default="scan", help="slices of the reference, or kidneys' boxes")
    parser.add_argument("--known-islands", action="store_true", help="count only islands that overlap the reference's")
    parser.add_argument("--json", action="store_true", help="print a JSON object; null where a value is not defined")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every value")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the summary as a table (.md)")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="write a picture for every structure")
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    parser.set_defaults(run=run_evaluate)


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Check all that is cheap, then score every case, write the files asked for, and print the scores."""
    from ..evaluation.case_files import case_files

    metrics = _names(arguments.metrics, METRICS, "metric")
    structures = None if arguments.structures is None else _names(arguments.structures, TARGETS, "structure")
    cases = case_files(arguments.result, arguments.reference)
    _check_outputs(arguments)
    rows = _score(cases, metrics, structures, arguments)
    _write(rows, arguments)
    is_one = not arguments.result.is_dir()
    print(_json(rows, is_one, metrics) if arguments.json else _text(rows, is_one, metrics))
    return 0


def _names(text: str, known: Sequence[str], kind: str) -> list[str]:
    from ..errors import InputError

    if text == "all":
        return list(known)
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in known:
            raise InputError(f"There is no {kind} {name!r}; choose from {', '.join(known)}, or all.")
    return names


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Raises InputError for a file that could not be written, or that exists and --force is not given."""
    from ..errors import InputError
    from ..evaluation.extras import require
    from ..evaluation.plots import PNG_SUFFIXES, plot_path
    from ..evaluation.report import CSV_SUFFIXES, MARKDOWN_SUFFIXES
    from ..volumes.writing import check_writable

    files = [(arguments.csv, CSV_SUFFIXES), (arguments.markdown, MARKDOWN_SUFFIXES)]
    for path, suffixes in files:
        if path is not None:
            check_writable(path, suffixes)
    taken = [path for path, _ in files if path is not None]
    if arguments.plot is not None:
        require("matplotlib", "Plots")
        plots = [plot_path(arguments.plot, name) for name in TARGETS]
        check_writable(plots[0] if arguments.plot.exists() else arguments.plot.with_name(plots[0].name), PNG_SUFFIXES)
        taken += plots
    for path in taken:
        if path.exists() and not arguments.force:
            raise InputError(f"{path} exists already; give --force to replace it, or choose another name.")


def _score(
    cases: Sequence[CaseFiles], metrics: list[str], structures: list[str] | None, arguments: argparse.Namespace
) -> list[Row]:
    from ..evaluation.case_files import read_case
    from ..evaluation.regions import restricted
    from ..evaluation.scores import evaluate_case
    from .console import TextConsole

    rows = []
    with TextConsole() as console:
        for number, files in enumerate(cases):
            console(number / len(cases), files.name)
            case = read_case(files, arguments.ignore, arguments.labels)
            labels = restricted(case.predicted, case.truth, arguments.region, arguments.known_islands)
            rows += evaluate_case(*labels, case.spacing, structures, metrics, files.name)
    return rows


def _write(rows: list[Row], arguments: argparse.Namespace) -> None:
    from ..evaluation.plots import write_plots
    from ..evaluation.report import write_csv, write_markdown
    from .outputs import folder_made

    if arguments.csv is not None:
        write_csv(rows, arguments.csv)
    if arguments.markdown is not None:
        write_markdown(rows, arguments.markdown)
    if arguments.plot is not None:
        with folder_made(arguments.plot):
            write_plots(rows, arguments.plot)


def _text(rows: list[Row], is_one: bool, metrics: list[str]) -> str:
    from ..evaluation.report import case_markdown, summary_markdown

    if not is_one:
        return summary_markdown(rows)
    if len(metrics) > 1:
        return case_markdown(rows)
    return "\n".join(f"{row.structure:<8} {METRICS[row.metric].text(row.value)}" for row in rows)


def _json(rows: list[Row], is_one: bool, metrics: list[str]) -> str:
    """Case -> structure -> metric -> value; of one case its structures, and of one metric their values alone."""
    cases: dict[str, dict] = {row.case: {} for row in rows}
    for row in rows:
        cases[row.case].setdefault(row.structure, {})[row.metric] = row.value if math.isfinite(row.value) else None
    if not is_one:
        return json.dumps(cases)
    scores = next(iter(cases.values()), {})
    if len(metrics) == 1:
        scores = {name: values[metrics[0]] for name, values in scores.items()}
    return json.dumps(scores)
