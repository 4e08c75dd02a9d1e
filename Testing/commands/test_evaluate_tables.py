"""`evaluate` with more than Dice of one case: metrics, regions, folders, tables, pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.cli import main

OUTPUTS = (("--csv", "scores.csv"), ("--markdown", "scores.md"))


def labels_file(path: Path, values: list[int]) -> Path:
    """Labels 1 mm apart along z."""
    path.parent.mkdir(exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(np.array(values, np.uint8).reshape(-1, 1, 1)), str(path))
    return path


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Case a: kidney found but for one of 2 voxels. Case b: kidney right, artery (3) missed."""
    monkeypatch.chdir(tmp_path)
    for name, result, reference in (("a", [1, 0, 0, 0], [1, 1, 0, 0]), ("b", [1, 1, 0, 0], [1, 1, 0, 3])):
        labels_file(tmp_path / "results" / f"{name}.nii.gz", result)
        labels_file(tmp_path / "references" / f"{name}.nii.gz", reference)
    return ["evaluate", "results", "references"]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command line that must succeed and returns what it prints."""

    def run(*arguments: str) -> str:
        assert main(arguments) == 0
        return capsys.readouterr().out

    return run


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_metrics_of_one_case(folders: list[str], printed: Callable[..., str]) -> None:
    """Dice 2 * 1 / 3; the missed voxel is 1 mm away, the 95th percentile of 0 and 1 mm is 0.95."""
    case = ["evaluate", "results/a.nii.gz", "references/a.nii.gz", "--metrics", "dice, hd"]
    assert cells(printed(*case))[2:] == [["kidney", "0.667", "1.00"]]
    assert json.loads(printed(*case, "--json")) == {"kidney": pytest.approx({"dice": 2 / 3, "hd": 1.0})}
    assert printed(*case[:-1], "hd95").split() == ["kidney", "0.95"]


def test_all_metrics(folders: list[str], printed: Callable[..., str]) -> None:
    pytest.importorskip("skimage")
    scores = json.loads(printed("evaluate", "references/b.nii.gz", "references/b.nii.gz", "--metrics", "all", "--json"))
    shares = {"dice": 1.0, "surface_dice": 1.0}
    assert scores["kidney"] == {**shares, "hd": 0.0, "hd95": 0.0, "avd": 0.0}
    assert scores["artery"] == {**scores["kidney"], "cldice": 1.0, "centerline_recall": 1.0}


def test_folders_give_mean_and_number(folders: list[str], printed: Callable[..., str]) -> None:
    """Kidney: Dice 2/3 and 1, HD 1 and 0 mm: sample standard deviations 0.236 and 0.71. Artery: missed in b."""
    table = cells(printed(*folders, "--metrics", "dice,hd"))
    assert table[0] == ["structure", "Dice", "HD (mm)"]
    assert table[2] == ["kidney", "0.833 ± 0.236 (2)", "0.50 ± 0.71 (2)"]
    assert table[3] == ["artery", "0.000 (1)", "- (0, 1 missed)"]
    scores = json.loads(printed(*folders, "--metrics", "dice,hd", "--json"))
    assert scores["b"]["artery"] == {"dice": 0.0, "hd": None}


def test_named_structures_regions_and_labels(folders: list[str], printed: Callable[..., str]) -> None:
    """As KiPA labels the reference is vein, vein, nothing, artery: there is no kidney in it."""
    case = ["evaluate", "results/b.nii.gz", "references/b.nii.gz", "--json"]
    assert json.loads(printed(*case, "--structures", "kidney_and_mass,cyst")) == {"kidney_and_mass": 1.0, "cyst": 1.0}
    assert json.loads(printed(*case, "--region", "kidneys", "--known-islands")) == {"kidney": 1.0}
    assert json.loads(printed(*case, "--labels", "kipa")) == {"artery": 0.0, "vein": 0.0}


def test_files_are_written_and_not_replaced_unasked(
    folders: list[str], printed: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    command = [*folders, "--plot", "plots", *(word for output in OUTPUTS for word in output)]
    table = printed(*command)
    assert Path("scores.md").read_text(encoding="utf-8").startswith(table.strip())
    with Path("scores.csv").open(newline="") as file:
        assert [line["case"] for line in csv.DictReader(file)] == ["a", "b", "b"]
    assert sorted(path.name for path in Path("plots").iterdir()) == ["artery.png", "kidney.png"]
    for option, name in (*OUTPUTS, ("--plot", "plots")):
        assert main([*folders, option, name]) == 2
        assert "exists already" in capsys.readouterr().err
    Path("scores.csv").write_text("old")
    printed(*command, "--force")
    assert Path("scores.csv").read_text().startswith("case,structure,metric,value")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["results", "references", "--metrics", "dise"], "no metric 'dise'"),
        (["results", "references", "--structures", "spleen"], "no structure 'spleen'"),
        (["results", "references/a.nii.gz"], "two files or two folders"),
        (["results", "lone"], "c.nii.gz"),
        (["results", "references", "--csv", "scores.txt"], ".csv"),
        (["results", "references", "--markdown", "nowhere/scores.md"], "nowhere"),
        (["results", "references", "--plot", "nowhere/plots"], "nowhere"),
        (["results/a.nii.gz", "lone/c.nii.gz", "--region", "kidneys", "--plot", "plots"], "no kidney"),
    ],
)
def test_bad_arguments_give_one_sentence_and_leave_nothing(
    arguments: list[str], words: str, folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    labels_file(Path("lone/c.nii.gz"), [4, 0, 0, 0])
    before = sorted(Path.cwd().rglob("*"))
    assert main(["evaluate", *arguments]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1 and words in error[0]
    assert sorted(Path.cwd().rglob("*")) == before


def test_plots_need_matplotlib(
    folders: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("KidneyParsingLib.evaluation.extras.find_spec", lambda name: None)
    assert main([*folders, "--plot", "plots"]) == 2
    assert "pip install scikit-image matplotlib" in capsys.readouterr().err
    assert not Path("plots").exists()
