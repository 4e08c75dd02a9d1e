"""The log of a run: CSV files, and TensorBoard where it is installed. A resumed run goes on in the same files."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from .validation import ValidationResult

STEP_COLUMNS = ("step", "loss", "rate", "seconds")


class NoLog:
    """The log of the processes that write none."""

    def add_step(self, step: int, loss: float, rate: float, seconds: float) -> None:
        """A step was done: the mean loss of its global batch, its learning rate, how long it took."""

    def add_validation(self, step: int, result: ValidationResult) -> None:
        """The network was validated after a step."""

    def flush(self) -> None:
        """Before a checkpoint: what was logged is on disk."""

    def close(self) -> None:
        """At the end of the run."""


class TrainingLog(NoLog):
    """`log.csv` (step, loss, rate, seconds) and `validation.csv` (step, mean, scores of the classes) in a folder.

    With `tensorboard` installed (an optional extra) the same numbers and pictures of predictions also go to the folder
    `tensorboard` there; without it there are only the CSV files. What was logged after step `step`, at which the run
    goes on, is dropped, so that no step is there twice.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._steps, self._validations = folder / "log.csv", folder / "validation.csv"
        for path in (self._steps, self._validations):
            _drop_later(path, step)
        self._writer = _tensorboard(folder / "tensorboard", step)

    @property
    def has_tensorboard(self) -> bool:
        """False if TensorBoard is not installed: then there are only the CSV files."""
        return self._writer is not None

    def add_step(self, step: int, loss: float, rate: float, seconds: float) -> None:
        """One row and two curves."""
        _append(self._steps, STEP_COLUMNS, (step, f"{loss:.7g}", f"{rate:.6g}", f"{seconds:.3f}"))
        self._add_scalars(step, {"loss": loss, "rate": rate})

    def add_validation(self, step: int, result: ValidationResult) -> None:
        """One row, a curve for every class and a picture."""
        _append(self._validations, ("step", *result.scores), (step, *(f"{v:.6f}" for v in result.scores.values())))
        self._add_scalars(step, {f"dice/{name}": score for name, score in result.scores.items()})
        if self._writer and result.picture is not None:
            self._writer.add_image("truth and prediction", result.picture, step, dataformats="HWC")

    def flush(self) -> None:
        """CSV rows are on disk at once; TensorBoard's are written now."""
        if self._writer:
            self._writer.flush()

    def close(self) -> None:
        """Ends TensorBoard's writing."""
        if self._writer:
            self._writer.close()

    def _add_scalars(self, step: int, values: dict[str, float]) -> None:
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)


def _tensorboard(folder: Path, step: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)


def _append(path: Path, columns: Iterable[str], row: Iterable[object]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, row] if is_new else [row])


def _drop_later(path: Path, step: int) -> None:
    """Drops the rows of steps after `step`, and a last one that was cut off while it was written."""
    if not path.exists():
        return
    # Cut off before its first line was written, the file is empty.
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True) or [""]
    kept = [row for row in rows if row.endswith("\n") and int(row.split(",")[0]) <= step]
    if not kept:
        path.unlink()
        return
    unfinished = path.with_suffix(".part")
    unfinished.write_text(header + "".join(kept), encoding="utf-8")
    os.replace(unfinished, path)
