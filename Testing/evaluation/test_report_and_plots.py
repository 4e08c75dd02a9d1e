"""CSV, Markdown and pictures of scores."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import pytest

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.evaluation import report
from KidneyParsingLib.evaluation.plots import write_plots
from KidneyParsingLib.evaluation.scores import Row

ROWS = [
    Row("a", "kidney", "dice", 0.9),
    Row("a", "artery", "hd", math.inf),
    Row("b", "kidney", "dice", 0.8),
    Row("b", "artery", "hd", 4.0),
    Row("c", "artery", "hd", math.nan),
]


def test_summary_skips_what_has_no_value_and_counts_what_is_missed() -> None:
    """Sample standard deviation of 0.8 and 0.9: sqrt(2 * 0.05^2 / 1)."""
    found = report.summary(ROWS)
    assert found["kidney"]["dice"] == pytest.approx((0.85, math.sqrt(0.005), 2, 0))
    mean, sd, n, missed = found["artery"]["hd"]
    assert (mean, n, missed) == (4.0, 1, 1) and math.isnan(sd)


def test_csv_has_a_line_for_every_value(tmp_path: Path) -> None:
    report.write_csv(ROWS, tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines[1] == {"case": "a", "structure": "artery", "metric": "hd", "value": "inf"}
    assert [float(line["value"]) for line in lines] == pytest.approx([row.value for row in ROWS], nan_ok=True)


def test_markdown_table(tmp_path: Path) -> None:
    report.write_markdown(ROWS, tmp_path / "scores.md")
    table = (tmp_path / "scores.md").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert cells[0] == ["structure", "Dice", "HD (mm)"]
    assert cells[2:] == [["kidney", "0.850 ± 0.071 (2)", ""], ["artery", "", "4.00 (1, 1 missed)"]]


def test_case_table_marks_what_is_not_defined() -> None:
    cells = [line.split("|")[2].strip() for line in report.case_markdown(ROWS[4:]).splitlines()]
    assert cells[2] == "-"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("old")

    def broken(self: Path, text: str, **_: object) -> None:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", broken)
    with pytest.raises(OSError):
        report.write_csv(ROWS, path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_picture_for_every_structure(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [row._replace(case=f"{row.case}{number}") for number in range(4) for row in ROWS]
    paths = write_plots(rows, tmp_path)
    assert [path.name for path in paths] == ["kidney.png", "artery.png"] and len(list(tmp_path.iterdir())) == 2
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    contents = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_plots(rows, tmp_path)] == contents


def test_without_matplotlib_a_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match="pip install scikit-image matplotlib"):
        write_plots(ROWS, tmp_path)
