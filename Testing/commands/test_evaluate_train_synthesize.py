"""`evaluate`, `train` and `synthesize` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import segment
from KidneyParsingLib.cli import main
from KidneyParsingLib.networks.checkpoint import load_network
from KidneyParsingLib.synthesis.tissues import Tissue
from KidneyParsingLib.volumes.volume import LabelMap
from KidneyParsingLib.volumes.writing import write_label_map


def labels(path: Path, values: list[int]) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(np.array(values, np.uint8).reshape(1, 1, -1)), str(path))
    return path


def test_evaluate_prints_dice_by_structure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = labels(tmp_path / "a.nii.gz", [1, 1, 3, 0, 4])
    reference = labels(tmp_path / "b.nii.gz", [1, 0, 3, 3, 255])
    assert main(["evaluate", str(result), str(reference), "--ignore", "255", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == pytest.approx({"kidney": 2 / 3, "artery": 2 / 3})


def test_evaluate_merges_the_sides_of_a_segmentation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = (segment("kidney_right"), segment("kidney_left"))
    array = np.array([both[0].value, both[1].value, 0, 0], np.uint8).reshape(1, 1, 4)
    write_label_map(LabelMap(array, np.eye(4), both), tmp_path / "a.seg.nrrd")
    reference = labels(tmp_path / "b.nii.gz", [1, 1, 0, 0])
    assert main(["evaluate", str(tmp_path / "a.seg.nrrd"), str(reference)]) == 0
    assert capsys.readouterr().out.split() == ["kidney", "1.000"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "no.nii.gz", "b.nii.gz"], "no.nii.gz"),
        (["evaluate", "short.nii.gz", "b.nii.gz"], "different grids"),
        (["evaluate", "text.nii.gz", "b.nii.gz"], "cannot be read"),
        (["evaluate", "b.nii.gz", "moved.nii.gz"], "different grids"),
        (["evaluate", "b.nii.gz", "halves.nii.gz"], "no labels"),
        (["train", ".", "--model", "ba_net", "-o", "run", "--steps", "-5"], "1 or more"),
        (["train", ".", "--model", "ba_net", "-o", "run", "--release", "nowhere"], "nowhere"),
        (["synthesize", "text.nii.gz", "--spl", "."], "text.nii.gz"),
        (["train", ".", "--model", "no_net", "-o", "run"], "no_net"),
        (["train", ".", "--model", "ba_net", "-o", "run"], "synthesize"),
        (["synthesize", "out", "--spl", "nowhere"], "seg.nrrd"),
        (["synthesize", "out", "--spl", ".", "--kidneys", "."], "seg.nrrd"),
    ],
)
def test_bad_arguments_give_one_sentence(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    labels(tmp_path / "b.nii.gz", [1, 0])
    labels(tmp_path / "short.nii.gz", [1])
    (tmp_path / "text.nii.gz").write_text("not an image")
    moved = sitk.ReadImage(str(tmp_path / "b.nii.gz"))
    moved.SetOrigin((500, 0, 0))
    sitk.WriteImage(moved, str(tmp_path / "moved.nii.gz"))
    sitk.WriteImage(sitk.GetImageFromArray(np.full((1, 1, 2), 0.5, np.float32)), str(tmp_path / "halves.nii.gz"))
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1 and words in error[0]


@pytest.fixture
def drawn_anatomies(tmp_path: Path) -> Path:
    """A folder with one anatomy drawn by hand: a body, a spine, two kidneys, at 4 mm."""
    tissues = np.zeros((64, 80, 96), np.uint8)
    tissues[:, 15:65, 10:86] = Tissue.FAT
    tissues[:, 45:55, 43:53] = Tissue.MARROW
    tissues[20:48, 38:54, 24:38] = Tissue.CORTEX
    tissues[20:48, 38:54, 58:72] = Tissue.CORTEX
    tissues[30:40, 42:50, 62:68] = Tissue.MEDULLA
    folder = tmp_path / "drawn"
    folder.mkdir()
    np.savez_compressed(folder / "anatomy_00001.npz", tissues=tissues, spacing=np.float32(4))
    return folder


@pytest.mark.parametrize("model", ["locator", "ba_net"])
def test_train_and_release_on_a_drawn_anatomy(model: str, drawn_anatomies: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    train = ["train", str(drawn_anatomies), "--model", model, "--steps", "1", "-o", str(tmp_path / "run")]
    assert main([*train, "--release", str(tmp_path / "weights")]) == 0
    entry = json.loads((tmp_path / "weights" / "manifest.json").read_text())[0]
    assert entry["name"] == model
    load_network(tmp_path / "weights" / entry["weights"], entry["sha256"])


def test_synthesize_then_train_then_release(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two anatomies, two steps: the whole way from the atlas to a weights file with its manifest."""
    spl = str(shared_data / "spl_atlas")
    assert main(["synthesize", str(tmp_path / "anatomies"), "--anatomies", "--spl", spl]) == 0
    train = ["train", str(tmp_path / "anatomies"), "--model", "locator", "--steps", "2", "-o", str(tmp_path / "run")]
    assert main([*train, "--release", str(tmp_path)]) == 0
    entry = json.loads((tmp_path / "manifest.json").read_text())[0]
    assert entry["name"] == "locator" and (tmp_path / entry["weights"]).is_file()
    assert "2 steps done" in capsys.readouterr().out
