"""The whole comparison, in a folder: what is there is kept, what is missing is measured, then tables and plots.

`work` in the folder holds what can be made again (CT, weights, label maps); `results.json`, `performance.md` and the
pictures are the result. This process stays small, without torch and numpy, until all is measured (see `measuring`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..progress import Progress, silent
from .machine import machine
from .measuring import Measured, cache_beside, environment, measure, module_command
from .phases import START, phase_seconds, progress_marks
from .results import Results
from .rows import FIRST_RUNS, NNUNET, PEERS, Row, chosen_rows, segment_command
from .scaling import Point, points
from .tables import page

Job = tuple[str, Callable[[], None]]


@dataclass(frozen=True)
class Plan:
    """What is measured: `rounds` runs of everything on `ct` (None: the sample CTA on a usual grid) beside `peers`;
    `quick` with a tiny network and CT, to try the benchmark itself. All files are in `folder`."""

    folder: Path
    rounds: int = 3
    ct: Path | None = None
    peers: tuple[str, ...] = PEERS
    quick: bool = False

    @property
    def rows(self) -> list[Row]:
        """The engines."""
        return chosen_rows(self.peers)

    @property
    def work(self) -> Path:
        """The folder of what can be made again."""
        return self.folder / "work"

    @property
    def settings(self) -> dict:
        """What measurements must share to be compared."""
        return {"ct": str(self.ct.resolve()) if self.ct else "sample", "quick": self.quick}


class Campaign:
    """Carries a plan out; stopped at any time, it goes on from the last run that was finished."""

    def __init__(self, plan: Plan) -> None:
        if plan.ct is not None and not plan.ct.exists():
            raise InputError(f"There is no file or folder {plan.ct}; check the path.")
        self.plan = plan
        plan.work.mkdir(parents=True, exist_ok=True)
        self.results = Results.opened(plan.folder, plan.settings, machine())
        self._flags = ("quick",) if plan.quick else ()

    @property
    def data(self) -> dict:
        """All that was measured."""
        return self.results.data

    def run(self, show: Progress = silent) -> None:
        """Measure all that is missing. Raises KidneyParsingError if an engine fails."""
        self._prepare(show)
        jobs = list(self._jobs())
        for index, (title, job) in enumerate(jobs):
            show(index / len(jobs), title)
            job()
            self.results.save()

    def write(self) -> str:
        """Write `performance.md` and the pictures; the page's text."""
        from .plots import write_plots

        text = page(self.data, self.plan.rows)
        for path in write_plots(self.data, self.plan.rows, self.plan.folder):
            text += f"\n![{path.stem}]({path.name})\n"
        (self.plan.folder / "performance.md").write_text(text, encoding="utf-8")
        return text

    def _prepare(self, show: Progress) -> None:
        show(0.0, "making CT, weights and reference")
        ct = "-" if self.plan.ct is None else self.plan.ct
        self.data["network"] = self._answer("speed.prepare", self.plan.work, ct, *self._flags)
        if not (self.plan.work / "logits.npy").exists():
            self._measured(module_command("speed.export_step", "make", self.plan.work, *self._flags))
        self.results.save()

    def _jobs(self) -> Iterator[Job]:
        """What is not measured yet, round by round."""
        rows = [row for row in self.plan.rows if not row.missing]
        for row in rows:
            if row.key in FIRST_RUNS and row.key not in self.data["first"]:
                yield f"first run: {row.title}", lambda r=row: self._first(r)
        for index in range(self.plan.rounds):
            name = f"round {index + 1} of {self.plan.rounds}"
            if not self.results.round_of(index, "ceiling"):
                yield f"{name}: ceiling", lambda i=index: self._ceiling(i)
            for row in rows:
                if row.key not in self.results.round_of(index):
                    yield f"{name}: {row.title}", lambda i=index, r=row: self._row(i, r)
            for method in self._export_methods():
                if method not in self.results.round_of(index, "export"):
                    yield f"{name}: export, {method}", lambda i=index, m=method: self._export(i, m)
        for point in points(self.plan.quick):
            if point.key not in self.data["scaling"]:
                yield f"scaling: {point.key}", lambda p=point: self._scaling(p)

    def _export_methods(self) -> tuple[str, ...]:
        # torch's comes first: the others are compared with its labels.
        has_nnunet = any(row.key == NNUNET and not row.missing for row in self.plan.rows)
        return ("torch", *([NNUNET] if has_nnunet else []), "ours")

    def _first(self, row: Row) -> None:
        """What is kept for all later runs is made: networks in other formats, the choice of a backend."""
        if not self.data["first"]:
            shutil.rmtree(cache_beside(self.plan.work / "weights"), ignore_errors=True)
        weights = self.plan.work / "weights"
        command = row.command(self.plan.work / "ct.nii.gz", self.plan.work / "first_labels.nii.gz", weights)
        self.data["first"][row.key] = self._measured(command, weights).seconds

    def _ceiling(self, index: int) -> None:
        self.results.round_of(index, "ceiling").update(self._answer("speed.ceiling", *self._flags))

    def _row(self, index: int, row: Row) -> None:
        output = self.plan.work / f"{row.key}_labels.nii.gz"
        weights = self.plan.work / "weights"
        own = Path(f"{output}.json")
        own.unlink(missing_ok=True)
        measured = self._measured(row.command(self.plan.work / "ct.nii.gz", output, weights), weights)
        run = run_of(row, measured, json.loads(own.read_text(encoding="utf-8")) if own.exists() else None)
        if row.covers_scan:
            run.setdefault("windows", self.data["network"]["windows"])
        if row.key not in self.data["agreement"]:
            reference = self.plan.work / f"{row.reference}.nii.gz"
            self.data["agreement"][row.key] = self._answer("speed.agreement", output, reference)
        self.results.round_of(index)[row.key] = run

    def _export(self, index: int, method: str) -> None:
        answer = self._answer("speed.export_step", method, self.plan.work, *self._flags)
        self.results.round_of(index, "export")[method] = answer

    def _scaling(self, point: Point) -> None:
        scan, weights = self.plan.work / "scaling.nii.gz", self.plan.work / "weights"
        length = self._answer("speed.scans", scan, point.slices, point.slice_mm, *self._flags)["length_mm"]
        command = segment_command(scan, self.plan.work / "scaling_labels.nii.gz", point.arguments)
        measured = self._measured(command, weights)
        scan.unlink()
        self.data["scaling"][point.key] = {
            "preset": point.preset, "slices": point.slices, "slice_mm": point.slice_mm, "curves": list(point.curves),
            "length_mm": length, "seconds": measured.seconds, "peak_gib": measured.peak_gib,
        }  # fmt: skip

    def _measured(self, command: list[str], weights: Path | None = None) -> Measured:
        return measure(command, environment(weights), self.plan.work / "messages.log")

    def _answer(self, module: str, *arguments: object) -> dict:
        """The JSON object that a module of ours prints last."""
        lines = self._measured(module_command(module, *arguments)).lines
        return json.loads(lines[-1][1])


def run_of(row: Row, measured: Measured, own: dict | None) -> dict:
    """One entry of results: of our program by its progress lines, of all others by what they say of themselves."""
    run = {"process_seconds": measured.seconds, "cpu_seconds": measured.cpu_seconds, "peak_gib": measured.peak_gib}
    if own is None:
        phases = phase_seconds(progress_marks(measured.lines), measured.seconds)
        return run | {"seconds": measured.seconds, "phases": phases}
    total = sum(own["phases"].values())
    run |= {"seconds": total} | own
    if row.is_peer:
        run["phases"] = {START: measured.seconds - total} | own["phases"]
    return run
