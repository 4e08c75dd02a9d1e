"""`segment`: what it writes, says and returns, with a stand-in for the network (see conftest)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import segment
from KidneyParsingLib.cli import main
from KidneyParsingLib.errors import Cancelled, InputError, OutOfMemoryError
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.review import read_places
from KidneyParsingLib.volumes.volume import LabelMap, Volume
from KidneyParsingLib.volumes.writing import read_label_map

NOTE = "No left kidney was found."


def test_default_output_is_in_the_current_folder(
    ct_path: Path, capsys: pytest.CaptureFixture[str], fake_parser: Any
) -> None:
    assert main(["segment", str(ct_path)]) == 0
    label_map = read_label_map("scan.seg.nrrd")
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(ct_path))) > 1000
    np.testing.assert_array_equal(label_map.array == 1, expected)
    shown = capsys.readouterr()
    assert "Right kidney" in shown.out and f"{expected.sum() * 1.5 * 1.6 * 2.5 / 1000:.2f} ml" in shown.out
    assert shown.err == f"note: {NOTE}\n" and fake_parser.options == Options()


def test_taken_default_name_is_refused_and_an_explicit_one_replaced(
    ct_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = Path("scan.seg.nrrd")
    taken.write_text("precious")
    assert main(["segment", str(ct_path)]) == 2
    assert "exists already" in capsys.readouterr().err and taken.read_text() == "precious"
    assert main(["segment", str(ct_path), "-o", str(taken)]) == 0
    assert read_label_map(taken).segments == (segment("kidney_right"),)


@pytest.mark.parametrize(
    ("output", "written"),
    [
        ("a.seg.nrrd", "a.seg.nrrd"),
        ("a.nii.gz", "a.nii.gz"),
        ("a.nii", "a.nii"),
        (".", "scan.seg.nrrd"),
        ("new/", "new/scan.seg.nrrd"),
    ],
)
def test_output_may_be_a_file_or_a_folder(ct_path: Path, output: str, written: str) -> None:
    assert main(["segment", str(ct_path), "-o", output]) == 0
    assert [path for path in Path().rglob("*") if path.is_file()] == [Path(written)]


def test_arguments_reach_the_parser(ct_path: Path, fake_parser: Any) -> None:
    choice = ["--device", "cuda:1", "--structures", "kidney, vein", "--tta", "--model", "ba_net"]
    assert main(["segment", str(ct_path), *choice]) == 0
    assert fake_parser.options == Options("ba_net", "cuda:1", ("kidney", "vein"), True)


def test_choices_of_speed_reach_the_parser(ct_path: Path, fake_parser: Any) -> None:
    choice = ["--quality", "best", "--region", "whole", "--overlap", "0.25", "--backend", "torch"]
    assert main(["segment", str(ct_path), *choice]) == 0
    expected = Options(quality="best", region="whole", overlap=0.25, backend="torch")
    assert fake_parser.options == expected


def test_an_overlap_that_windows_cannot_have_is_refused(ct_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", str(ct_path), "--overlap", "1.5"]) == 2
    assert "choose 0 to 0.9" in capsys.readouterr().err


def test_review_and_uncertainty_are_written_beside_the_segments(ct_path: Path, fake_parser: Any) -> None:
    """The stand-in knows of no place; the uncertainty then is nothing on the CT's grid."""
    assert main(["segment", str(ct_path), "--review", "r.json", "--uncertainty", "u.nii.gz"]) == 0
    assert fake_parser.options.review and read_places("r.json") == ()
    assert not sitk.GetArrayFromImage(sitk.ReadImage("u.nii.gz")).any()


@pytest.mark.parametrize(("flag", "name"), [("--review", "r.txt"), ("--uncertainty", "u.png")])
def test_extras_of_the_wrong_kind_are_refused_before_any_work(ct_path: Path, flag: str, name: str) -> None:
    assert main(["segment", str(ct_path), flag, name]) == 2
    assert not list(Path().iterdir())


def test_json_lines_are_all_there_is_on_stdout(ct_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", str(ct_path), "--json-progress"]) == 0
    messages = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [message["type"] for message in messages[:-1]] == ["progress"] * (len(messages) - 1)
    fractions = [message["fraction"] for message in messages[:-1]]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    result = messages[-1]
    assert result["type"] == "result" and result["output"] == "scan.seg.nrrd" and result["notes"] == [NOTE]
    assert result["volumes_ml"] == pytest.approx(read_label_map("scan.seg.nrrd").volumes_ml(), abs=1e-4)


def test_picture_and_segmentation_are_written_together(ct_path: Path) -> None:
    assert main(["segment", str(ct_path), "--render", "scan.png"]) == 0
    assert {path.name for path in Path().iterdir()} == {"scan.png", "scan.seg.nrrd"}
    assert Path("scan.png").read_bytes() == b"PNG"


def test_failed_picture_leaves_nothing(
    ct_path: Path, error_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(volume: Volume, label_map: LabelMap, path: Path) -> None:
        path.write_bytes(b"half")
        raise InputError("There is no OpenGL; install libgl1.")

    monkeypatch.setattr(sys.modules["KidneyParsingLib.mrml.render"], "render_png", broken)
    assert "no OpenGL" in error_of(2, "segment", ct_path, "--render", "scan.png")
    assert "no OpenGL" in error_of(2, "segment", ct_path, "--render", "scan.png", "-o", "new/")


def test_bad_ct_is_one_line_and_exit_2(a_bad_ct: tuple[Path, str], error_of: Callable[..., str]) -> None:
    path, words = a_bad_ct
    assert words in error_of(2, "segment", path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "missing/a.seg.nrrd"], "no folder"),
        (["-o", "missing/new/"], "no folder"),
        (["-o", "{ct}/a.seg.nrrd"], "no folder"),
        (["-o", "/proc/a.seg.nrrd"], "cannot be written"),
        (["-o", "a.stl"], "format that we write"),
        (["-o", "a.dcm"], "DICOM SEG"),
        (["-o", "{ct}"], "is what is read"),
        (["--render", "a.jpg"], "format that we write"),
        (["--render", "missing/a.png"], "no folder"),
        (["--device", "gpu"], "no device 'gpu'"),
        (["--model", "no_net"], "no model 'no_net'"),
        (["--structures", "kidney,spleen"], "no structure 'spleen'"),
        (["--structures", ""], "no structure ''"),
        (["--structures", "ureter"], "does not segment ureter"),
        (["--colour", "red"], "unrecognized arguments"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(
    ct_path: Path, error_of: Callable[..., str], fake_parser: Any, arguments: list[str], words: str
) -> None:
    before = ct_path.read_bytes()
    assert words in error_of(2, "segment", ct_path, *(text.format(ct=ct_path) for text in arguments))
    assert fake_parser.options is None and ct_path.read_bytes() == before


def test_renderer_that_is_missing_is_noticed_before_the_run(
    ct_path: Path, error_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("KidneyParsingLib.commands.outputs.find_spec", lambda name: None)
    assert "slicer-core" in error_of(2, "segment", ct_path, "--render", "a.png")


def torch_error(name: str, base: type[Exception]) -> Exception:
    return type(name, (base,), {})("CUDA out of memory. Tried to allocate 2 GiB\nmore lines")


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (InputError("The CT shows no kidney; give another."), 2),
        (OutOfMemoryError("Too little memory."), 3),
        (MemoryError(), 3),
        (torch_error("OutOfMemoryError", RuntimeError), 3),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 3),
        (Cancelled("Cancelled."), 130),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("division\nby zero"), 1),
    ],
)
def test_failures_in_the_run_have_their_exit_code_and_leave_nothing(
    ct_path: Path, error_of: Callable[..., str], fake_parser: Any, failure: BaseException, code: int
) -> None:
    fake_parser.fail = failure
    error_of(code, "segment", ct_path)
    error_of(code, "segment", ct_path, "-o", "new/", "--render", "a.png", "--json-progress")


def test_debug_variable_shows_the_traceback(
    ct_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fake_parser: Any
) -> None:
    fake_parser.fail = ZeroDivisionError("oops")
    monkeypatch.setenv("KIDNEYPARSING_DEBUG", "1")
    assert main(["segment", str(ct_path)]) == 1
    assert "Traceback" in capsys.readouterr().err
