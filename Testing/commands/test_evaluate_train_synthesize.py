"""`evaluate`, `train` and `synthesize` as a user calls them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import segment
from KidneyParsingLib.cli import main
from KidneyParsingLib.networks.checkpoint import load_network
from KidneyParsingLib.synthesis.scans.contact_sheet import ROW_SHAPE
from KidneyParsingLib.synthesis.scans.scan import ScanPlan
from KidneyParsingLib.synthesis.tissues import Tissue
from KidneyParsingLib.volumes.volume import LabelMap, Volume
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


TRAIN = ["train", "--model", "ba_net", "--data", "anatomies", ".", "-o", "run"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "no.nii.gz", "b.nii.gz"], "no.nii.gz"),
        (["evaluate", "short.nii.gz", "b.nii.gz"], "different grids"),
        (["evaluate", "text.nii.gz", "b.nii.gz"], "cannot be read"),
        (["evaluate", "b.nii.gz", "moved.nii.gz"], "different grids"),
        (["evaluate", "b.nii.gz", "halves.nii.gz"], "no labels"),
        ([*TRAIN, "--steps", "-5"], "1 or more"),
        ([*TRAIN, "--release", "nowhere"], "nowhere"),
        ([*TRAIN, "--fold", "5"], "choose 0 to 4"),
        ([*TRAIN, "--fold", "first"], "choose 0 to 4"),
        ([*TRAIN, "--device", "cuda:63"], "choose auto or cpu"),
        ([*TRAIN, "--data", "KiTS18", "."], "KiPA22, KiTS19"),
        ([*TRAIN, "--data", "KiPA22", "nowhere"], "nowhere"),
        ([*TRAIN, "--data", "KiTS19", "."], "case_00000"),
        ([*TRAIN, "--config", "huge"], "huge"),
        (["synthesize", "text.nii.gz", "--spl", "."], "text.nii.gz"),
        ([*TRAIN, "--model", "no_net"], "no_net"),
        ([*TRAIN, "--model", "locator", "--config", "paper"], "locator"),
        (TRAIN, "synthesize"),
        (["synthesize", "out", "--spl", "nowhere"], "seg.nrrd"),
        (["synthesize", "out", "--spl", ".", "--kidneys", "."], "seg.nrrd"),
        (["synthesize", "out", "--spl", ".", "--phase", "late"], "none, arterial"),
        (["synthesize", "out", "--spl", ".", "--anatomies", "--seed", "899999", "--n", "2"], "lower --seed"),
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


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())["networks"]


@pytest.mark.parametrize("model", ["locator", "ba_net"])
def test_train_and_release_on_a_drawn_anatomy(model: str, drawn_anatomies: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    train = ["train", "--data", "anatomies", str(drawn_anatomies), "--model", model, "--steps", "1", "--device", "cpu"]
    assert main([*train, "-o", str(tmp_path / "run"), "--release", str(tmp_path / "weights")]) == 0
    entry = manifest(tmp_path / "weights")[model]
    load_network(tmp_path / "weights" / entry["weights"], entry["sha256"])


@pytest.fixture
def made_scans(tmp_path: Path) -> Path:
    """Five scans in our layout: a bright box of kidney with a tumor in noise, 6 mm voxels."""
    rng = np.random.default_rng(0)
    for index in range(5):
        array = np.zeros((16, 32, 32), np.uint8)
        array[4:12, 8:20, 8:20], array[6:9, 10:14, 10:14] = 1, 2
        hu = (rng.normal(40, 10, array.shape) + 120 * (array == 1) + 60 * (array == 2)).astype(np.int16)
        for kind, values, end in (("imagesTr", hu, "_0000"), ("labelsTr", array, "")):
            (tmp_path / "data" / kind).mkdir(parents=True, exist_ok=True)
            image = sitk.GetImageFromArray(values)
            image.SetSpacing((6.0, 6.0, 6.0))
            sitk.WriteImage(image, str(tmp_path / "data" / kind / f"scan_{index}{end}.nii.gz"))
    return tmp_path / "data"


def test_a_system_is_trained_network_by_network_and_gone_on_with_only_when_told(
    made_scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """BiSC-UNet on our layout: rough and fine network, each with its manifest entry and its classes."""
    (tmp_path / "weights").mkdir()
    train = ["train", "--model", "bisc_unet", "--config", "tiny", "--data", "ours", str(made_scans), "--device", "cpu"]
    train += ["-o", str(tmp_path / "run"), "--release", str(tmp_path / "weights"), "--steps", "1"]
    assert main(train) == 0
    assert set(manifest(tmp_path / "weights")) == {"sc_unet", "sc_unet_rough"}
    assert manifest(tmp_path / "weights")["sc_unet"]["structures"] == ["kidney", "tumor"]
    assert main(train) == 2 and "--resume" in capsys.readouterr().err
    assert main([*train, "--resume"]) == 0


def test_a_model_that_needs_what_the_data_lack_is_refused(
    made_scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kid-Net on KiTS: no vessel is labelled."""
    for index in range(5):
        case = tmp_path / "kits" / f"case_{index:05d}"
        case.mkdir(parents=True)
        (made_scans / "imagesTr" / f"scan_{index}_0000.nii.gz").rename(case / "imaging.nii.gz")
        (made_scans / "labelsTr" / f"scan_{index}.nii.gz").rename(case / "segmentation.nii.gz")
    train = ["train", "--model", "kid_net", "--config", "tiny", "--data", "KiTS19", str(tmp_path / "kits")]
    assert main([*train, "--device", "cpu", "-o", str(tmp_path / "run")]) == 2
    assert "needs artery, vein, ureter" in capsys.readouterr().err


@pytest.fixture
def drawn_scans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Runs `synthesize` into tmp_path/out, with a small scan drawn at once in place of a made one."""

    def draw(atlases: object, plan: ScanPlan) -> tuple[Volume, LabelMap]:
        array, affine = np.full((10, 12, 14), plan.seed, np.int16), np.diag([4.0, 4.0, 4.0, 1.0])
        array[0] = round(1000 * plan.voxel_mm[1])
        return Volume(array, affine), LabelMap(np.zeros(array.shape, np.uint8), affine)

    monkeypatch.setattr("KidneyParsingLib.synthesis.scans.scan.make_scan", draw)
    return lambda *arguments: main(["synthesize", str(tmp_path / "out"), "--spl", ".", *arguments])


def test_atlases_that_no_option_names_are_looked_for_where_they_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []
    monkeypatch.setattr("KidneyParsingLib.synthesis.scans.scan.make_scan", lambda atlases, plan: seen.append(atlases))
    monkeypatch.setenv("KIDNEYPARSING_ATLASES", str(tmp_path))
    assert main(["synthesize", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1 and "spl_atlas" in error[0] and "--spl" in error[0]
    for name in ("spl_atlas", "kidney_atlas"):
        (tmp_path / name).mkdir()
        with contextlib.suppress(TypeError):  # nothing was made that could be written
            main(["synthesize", str(tmp_path / "out")])
    assert [atlases.spl for atlases in seen] == [tmp_path / "spl_atlas"] * 2
    assert [atlases.kidneys for atlases in seen] == [None, tmp_path / "kidney_atlas"]


def made(folder: Path, seed: int) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "out" / "imagesTr" / f"made_{seed:05d}_0000.nii.gz")))


def test_synthesize_writes_a_contact_sheet_with_a_row_a_scan(drawn_scans: Callable[..., int], tmp_path: Path) -> None:
    assert drawn_scans("--n", "3") == 0
    sheet = sitk.ReadImage(str(tmp_path / "out" / "contact_sheet.png"))
    assert sheet.GetHeight() == 3 * ROW_SHAPE[0] and sheet.GetNumberOfComponentsPerPixel() == 3


def test_synthesize_replaces_no_scan_unless_told(
    drawn_scans: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drawn_scans("--n", "2") == 0
    before = made(tmp_path, 2)
    capsys.readouterr()
    assert drawn_scans("--seed", "2", "--n", "2", "--grid", "scanner") == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1 and "--overwrite" in error[0] and "made_00002" in error[0]
    assert not (tmp_path / "out" / "imagesTr" / "made_00003_0000.nii.gz").exists()
    assert drawn_scans("--seed", "2", "--grid", "scanner", "--overwrite") == 0
    assert before[0, 0, 0] == 1500 and 600 <= made(tmp_path, 2)[0, 0, 0] <= 980


def test_more_scans_come_beside_those_that_there_are(drawn_scans: Callable[..., int], tmp_path: Path) -> None:
    assert [drawn_scans("--seed", seed) for seed in ("1", "2", "3")] == [0, 0, 0]
    sheets = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert sheets == ["contact_sheet.png", "contact_sheet_2.png", "contact_sheet_3.png"]
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["numTraining"] == 3


def test_another_data_set_in_the_folder_is_left_alone(
    drawn_scans: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    description = tmp_path / "out" / "dataset.json"
    description.write_text('{"labels": {"background": 0, "liver": 1}}')
    assert drawn_scans() == 2 and "another data set" in capsys.readouterr().err
    assert "liver" in description.read_text() and not (tmp_path / "out" / "imagesTr").exists()
    assert drawn_scans("--overwrite") == 0 and "ureter" in description.read_text()


def test_synthesize_then_train_then_release(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An anatomy, two steps: the whole way from the atlas to a weights file with its manifest."""
    spl = str(shared_data / "spl_atlas")
    assert main(["synthesize", str(tmp_path / "anatomies"), "--anatomies", "--spl", spl]) == 0
    train = ["train", "--data", "anatomies", str(tmp_path / "anatomies"), "--model", "locator", "--steps", "2"]
    assert main([*train, "--device", "cpu", "-o", str(tmp_path / "run"), "--release", str(tmp_path)]) == 0
    assert (tmp_path / manifest(tmp_path)["locator"]["weights"]).is_file()
    assert "2 steps done" in capsys.readouterr().out
