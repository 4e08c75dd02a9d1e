"""Results are kept and refused as they should be; tables, ratios, plots and the last line say what was measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_results import MACHINE, results, run

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.speed.campaign import run_of
from KidneyParsingLib.speed.measuring import Measured
from KidneyParsingLib.speed.phases import phase_seconds, progress_marks
from KidneyParsingLib.speed.plots import write_plots
from KidneyParsingLib.speed.results import Results, network_gflops, ratio
from KidneyParsingLib.speed.rows import ROWS, chosen_rows
from KidneyParsingLib.speed.tables import last_line, page

LINES = (
    (1.0, '{"type": "progress", "fraction": 0, "phase": "reading"}\n'),
    (1.5, "a library's chatter\n"),
    (2.0, '{"type": "progress", "fraction": 0.02, "phase": "Loading the network"}\n'),
    (2.25, '{"type": "progress", "fraction": 0.1, "phase": "Locating the kidneys"}\n'),
    (3.0, '{"type": "progress", "fraction": 0.2, "phase": "Parsing region 1 of 2"}\n'),
    (5.0, '{"type": "progress", "fraction": 0.4, "phase": "Parsing region 2 of 2"}\n'),
    (7.0, '{"type": "progress", "fraction": 0.8, "phase": "Bringing the result to the CT\'s grid"}\n'),
    (7.5, '{"type": "progress", "fraction": 0.9, "phase": "Cleaning up"}\n'),
    (8.0, '{"type": "progress", "fraction": 1, "phase": "Done"}\n'),
    (8.0, '{"type": "progress", "fraction": 1, "phase": "writing"}\n'),
    (8.5, '{"type": "result", "output": "out.nii.gz", "volumes_ml": {}, "notes": []}\n'),
)


def test_progress_lines_become_seconds_by_phase_that_add_up() -> None:
    seconds = phase_seconds(progress_marks(LINES), 9.0)
    assert seconds == {"start": 1.25, "read": 1.0, "locate": 0.75, "network": 4.0, "labels": 1.0, "write": 1.0}
    assert sum(phase_seconds([(0.5, "reading"), (1.0, "something new")], 3.0).values()) == 3.0


def test_a_run_without_own_word_is_timed_by_its_lines_and_a_peer_without_its_start() -> None:
    rows = {row.key: row for row in ROWS}
    measured = Measured(9.0, 16.0, 1.5, LINES)
    ours = run_of(rows["whole"], measured, None)
    assert ours["seconds"] == 9.0 and ours["phases"]["start"] == 1.25 and ours["peak_gib"] == 1.5
    own = {"phases": {"read": 1.0, "network": 5.0, "write": 0.5}, "windows": 48}
    peer = run_of(rows["nnunet"], measured, own)
    assert peer["seconds"] == 6.5 and peer["phases"]["start"] == 2.5 and peer["windows"] == 48
    warm = run_of(rows["warm"], measured, {"phases": {"network": 4.0}, "seconds": 4.0, "cpu_seconds": 7.5})
    assert (warm["seconds"], warm["cpu_seconds"], warm["process_seconds"]) == (4.0, 7.5, 9.0)


def test_first_runs_are_told_apart() -> None:
    assert "ours, default 12.3 s." in page(results(), ROWS)
    assert "first run" not in page(results() | {"first": {}}, ROWS)


def test_ratios_are_those_of_medians_and_none_without_a_peer() -> None:
    data = results()
    assert ratio(data, "nnunet", "whole") == pytest.approx(3.0)
    assert ratio(data, "monai", "whole") is None and ratio(data, "nnunet", "fast") is None


def test_share_of_the_ceiling_counts_the_windows_and_the_network_phase_only() -> None:
    assert network_gflops(results(), "whole") == (48, pytest.approx(4800 / 98))
    assert "| 48 | 49.0 | 50% |" in page(results(), ROWS)


def test_last_line_has_its_fixed_form() -> None:
    data = results()
    assert last_line(data) == "ratio nnU-Net 3.00x, MONAI -, peak 1.25 GiB"
    for entry in data["rounds"]:
        entry["monai"] = run(250.0)
    assert re.fullmatch(r"ratio nnU-Net \d+\.\d\dx, MONAI \d+\.\d\dx, peak \d+\.\d\d GiB", last_line(data))


def test_page_shows_every_row_and_says_how_to_get_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("KidneyParsingLib.speed.rows.find_spec", lambda name: None if name == "monai" else name)
    lines = page(results(), ROWS).splitlines()
    of_whole = next(line for line in lines if line.startswith("| ours, whole scan"))
    assert of_whole.startswith("| ours, whole scan, same windows | 100.0 | 3.00x | - | 1.0 |")
    assert of_whole.endswith("| 200.0 | 1.25 |")
    of_monai = next(line for line in lines if line.startswith("| MONAI"))
    assert "MONAI is not installed; pip install nnunetv2 monai matplotlib brings it." in of_monai
    assert any(line.startswith("| ours | 0.50 | 80.00x | 0.10 | 0 of 1,000 |") for line in lines)
    assert any("| 99.9510% | 0.9876 |" in line for line in lines)
    # Markdown shows a table only if all its lines have as many cells as its head.
    tables = [part.splitlines() for part in "\n".join(lines).split("\n\n") if part.startswith("|")]
    assert len(tables) == 5 and all(len({line.count("|") for line in table}) == 1 for table in tables)


def test_plots_are_written_for_what_there_is(tmp_path: Path) -> None:
    names = [path.name for path in write_plots(results(), ROWS, tmp_path)]
    assert names == ["seconds.png", "memory.png", "scaling.png"]
    assert all((tmp_path / name).stat().st_size > 5000 for name in names)


def test_results_are_kept_for_the_same_command_on_the_same_machine_only(tmp_path: Path) -> None:
    first = Results.opened(tmp_path, {"ct": "sample", "quick": False}, MACHINE)
    first.round_of(1)["whole"] = run(9.0)
    first.save()
    again = Results.opened(tmp_path, {"ct": "sample", "quick": False}, MACHINE | {"date": "2026-01-02"})
    assert again.data["rounds"] == [{}, {"whole": run(9.0)}] and again.data["machine"]["date"] == "2026-01-02"
    with pytest.raises(InputError, match="other settings"):
        Results.opened(tmp_path, {"ct": "sample", "quick": True}, MACHINE)
    with pytest.raises(InputError, match="another machine"):
        Results.opened(tmp_path, {"ct": "sample", "quick": False}, MACHINE | {"cores": 8})


def test_rows_are_ours_and_the_peers_that_are_wanted() -> None:
    assert [row.key for row in chosen_rows(("monai",)) if row.is_peer] == ["monai"]
    assert len(chosen_rows(())) == len(ROWS) - 2
