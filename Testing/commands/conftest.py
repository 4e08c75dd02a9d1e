"""What the commands need: a stand-in for the network, and a run that must fail."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from KidneyParsingLib.anatomy import segment
from KidneyParsingLib.cli import main
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.inference.registry import ModelInfo, NetworkInfo
from KidneyParsingLib.inference.systems import System
from KidneyParsingLib.progress import Progress
from KidneyParsingLib.volumes.volume import LabelMap, Volume

MODEL = ModelInfo(
    System("ba_net", "A stand-in.", "paper", ("ba_net",)),
    (NetworkInfo("ba_net", ("kidney", "tumor", "artery", "vein"), "none.safetensors", "0" * 64, "CC BY-NC-SA 4.0"),),
    {"made CT": {"kidney": 0.96}},
)
NOTES = ("No left kidney was found.",)


class FakeParser:
    """Calls everything above 1000 HU right kidney, or raises what `fail` holds."""

    fail: BaseException | None = None
    options: Options | None = None

    def __init__(self, options: Options, log: Callable[[str], None] = print) -> None:
        type(self).options = options

    def parse(self, volume: Volume, progress: Progress) -> LabelMap:
        progress(0.5, "parsing")
        if self.fail:
            raise self.fail
        print("chatter of a library")
        kidney = segment("kidney_right")
        return LabelMap((volume.array > 1000).astype(np.uint8) * kidney.value, volume.affine, (kidney,), NOTES)


def draw_nothing(volume: Volume, label_map: LabelMap, path: Path) -> None:
    Path(path).write_bytes(b"PNG")


@pytest.fixture(autouse=True)
def fake_parser(monkeypatch: pytest.MonkeyPatch) -> type[FakeParser]:
    """The stand-in for the network, in place with a registry that knows its model and a renderer that draws nothing."""
    contents = {
        "inference.parser": {"KidneyParser": FakeParser},
        "mrml.render": {"render_png": draw_nothing},
    }
    for name, content in contents.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, f"KidneyParsingLib.{name}", module)
    monkeypatch.setattr("KidneyParsingLib.inference.registry.list_models", lambda: [MODEL])
    monkeypatch.setattr(FakeParser, "fail", None)
    monkeypatch.setattr(FakeParser, "options", None)
    monkeypatch.setattr("KidneyParsingLib.commands.outputs.find_spec", lambda name: name)
    return FakeParser


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
