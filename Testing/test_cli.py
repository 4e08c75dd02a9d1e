"""The command line: what it writes, says and returns, with a stand-in for the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.anatomy import segment
from KidneyParsingLib.cli import main
from KidneyParsingLib.errors import Cancelled, InputError, OutOfMemoryError
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.progress import Progress
from KidneyParsingLib.volumes.volume import LabelMap, Volume
from KidneyParsingLib.volumes.writing import read_label_map

REPOSITORY = Path(__file__).resolve().parents[1]


NOTES = ("No left kidney was found.",)


@dataclass(frozen=True)
class FakeModel:
    name: str = "ba_net"
    description: str = "A stand-in"
    structures: tuple[str, ...] = ("kidney", "tumor", "artery", "vein")
    weights: str = "ba_net.safetensors"
    megabytes: float = 12.5
    scores: dict[str, float] = field(default_factory=lambda: {"kidney": 0.96})


class FakeParser:
    """Calls everything above 1000 HU right kidney, or raises what `fail` holds."""

    fail: BaseException | None = None
    options: Options | None = None

    def __init__(self, options: Options) -> None:
        type(self).options = options

    def parse(self, volume: Volume, progress: Progress) -> LabelMap:
        progress(0.5, "parsing")
        if self.fail:
            raise self.fail
        print("chatter of a library")
        kidney = segment("kidney_right")
        return LabelMap((volume.array > 1000).astype(np.uint8) * kidney.value, volume.affine, (kidney,), NOTES)


def render_cross(volume: Volume, label_map: LabelMap, path: Path) -> None:
    Path(path).write_bytes(b"PNG")


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {
        "inference.parser": {"KidneyParser": FakeParser},
        "inference.registry": {"list_models": lambda: [FakeModel()]},
        "mrml.render": {"render_png": render_cross},
    }
    for name, content in contents.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, f"KidneyParsingLib.{name}", module)
    monkeypatch.setattr(FakeParser, "fail", None)
    monkeypatch.setattr("KidneyParsingLib.commands.outputs.find_spec", lambda name: name)


@pytest.fixture
def ct_path(a_ct: sitk.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CT file in a folder of its own; the current folder is another, empty one."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "out")
    path = tmp_path / "in" / "scan.nii.gz"
    sitk.WriteImage(a_ct, str(path))
    return path


@pytest.fixture
def error_of(ct_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command line that must fail with this exit code, and returns its one line on stderr."""

    def run(code: int, *arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == code
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("kidneyparsing: error: "), lines
        assert list(Path.cwd().iterdir()) == []
        return lines[0]

    return run


def test_default_output_is_in_the_current_folder(ct_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", str(ct_path)]) == 0
    label_map = read_label_map("scan.seg.nrrd")
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(ct_path))) > 1000
    np.testing.assert_array_equal(label_map.array == 1, expected)
    shown = capsys.readouterr()
    assert "Right kidney" in shown.out and f"{expected.sum() * 1.5 * 1.6 * 2.5 / 1000:.2f} ml" in shown.out
    assert shown.err == f"note: {NOTES[0]}\n" and FakeParser.options == Options()


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


def test_arguments_reach_the_parser(ct_path: Path) -> None:
    choice = ["--device", "cuda:1", "--structures", "kidney, vein", "--tta", "--model", "ba_net"]
    assert main(["segment", str(ct_path), *choice]) == 0
    assert FakeParser.options == Options("ba_net", "cuda:1", ("kidney", "vein"), True)


def test_json_lines_are_all_there_is_on_stdout(ct_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", str(ct_path), "--json-progress"]) == 0
    messages = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [message["type"] for message in messages[:-1]] == ["progress"] * (len(messages) - 1)
    fractions = [message["fraction"] for message in messages[:-1]]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    result = messages[-1]
    assert result["type"] == "result" and result["output"] == "scan.seg.nrrd" and result["notes"] == list(NOTES)
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
        (["-o", "{ct}"], "is the CT itself"),
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
    ct_path: Path, error_of: Callable[..., str], arguments: list[str], words: str
) -> None:
    FakeParser.options = None
    before = ct_path.read_bytes()
    assert words in error_of(2, "segment", ct_path, *(text.format(ct=ct_path) for text in arguments))
    assert FakeParser.options is None and ct_path.read_bytes() == before


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
    ct_path: Path, error_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch, failure: BaseException, code: int
) -> None:
    monkeypatch.setattr(FakeParser, "fail", failure)
    error_of(code, "segment", ct_path)
    error_of(code, "segment", ct_path, "-o", "new/", "--render", "a.png", "--json-progress")


def test_debug_variable_shows_the_traceback(
    ct_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeParser, "fail", ZeroDivisionError("oops"))
    monkeypatch.setenv("KIDNEYPARSING_DEBUG", "1")
    assert main(["segment", str(ct_path)]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("ba_net", "12.5 MB", "kidney, tumor, artery, vein", "kidney 0.96"))
    assert main(["models", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)
    assert model["name"] == "ba_net" and model["scores"] == {"kidney": 0.96}


def test_no_command_is_one_line_and_exit_2(error_of: Callable[..., str]) -> None:
    assert "COMMAND" in error_of(2)
    assert "CT" in error_of(2, "segment")


# Read by Python at its start: gives the child process the registry and the network that are not under test.
SITE = """
import sys, types
def module(name, **content):
    sys.modules["KidneyParsingLib." + name] = made = types.ModuleType(name)
    vars(made).update(content)
class Model:
    name, structures = "ba_net", ("kidney",)
class Parser:
    def __init__(self, options): pass
    def parse(self, volume, progress):
        from KidneyParsingLib.volumes.volume import LabelMap
        return LabelMap((volume.array > 1000).astype("uint8"), volume.affine)
module("inference.registry", list_models=lambda: [Model])
module("inference.parser", KidneyParser=Parser)
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python -m KidneyParsingLib` in a process of its own, with the current folder as its own."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "KidneyParsingLib", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(REPOSITORY)])}
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)

    return run


def test_process_refuses_bad_ct_in_one_line(
    a_bad_ct: tuple[Path, str], ct_path: Path, program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    path, words = a_bad_ct
    done = program("segment", path)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and words in done.stderr
    assert list(Path.cwd().iterdir()) == []


def test_process_segments(ct_path: Path, program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = program("segment", ct_path)
    assert (done.returncode, done.stderr) == (0, "") and Path("scan.seg.nrrd").is_file()


def test_help_and_usage_need_no_heavy_import(program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    code = "import sys, KidneyParsingLib.cli as c; c.build_parser(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY).stdout.split()
    assert not {"torch", "SimpleITK", "numpy", "slicer", "vtk", "qt", "pydicom"} & set(loaded)
    done = program("--help")
    assert done.returncode == 0 and "not a medical device" in " ".join(done.stdout.split())
