"""The program as a process of its own: exit codes, and what appears on stdout and stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# Read by Python at its start: gives the child process the registry and the network that are not under test.
SITE = """
import sys, types
def module(name, **content):
    sys.modules["KidneyParsingLib." + name] = made = types.ModuleType(name)
    vars(made).update(content)
class Model:
    name, structures = "ba_net", ("kidney",)
class Parser:
    def __init__(self, options, log=print): pass
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


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("segment", "scan.nii.gz"), "nothing was written"),
        (("train", "--model", "ba_net", "--data", "ours", "folder"), "--resume"),
        (("synthesize", "out", "--spl", "folder"), "what is finished stays"),
    ],
)
def test_a_stopped_command_says_what_of_its_work_stays(
    command: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from KidneyParsingLib import cli

    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    name = command[0]
    monkeypatch.setattr(f"KidneyParsingLib.commands.{name}.run_{name}", interrupted)
    assert cli.main(command) == 130
    assert words in capsys.readouterr().err
