"""The module in the harness: a scene, a CT and a result in it, the open panel, a fake engine behind it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

FAKE_ENGINE = Path(__file__).parents[1] / "engine" / "fake_engine.py"


@pytest.fixture
def dialogs():
    """What dialogs said, and their answers."""
    from harness import slicer_util
    from harness.qt_module import FileDialog

    slicer_util.dialogs.said, slicer_util.dialogs.answers = [], []
    slicer_util.calls.clear()
    FileDialog.answers, FileDialog.asked = [], []
    return slicer_util.dialogs


@pytest.fixture
def temp(tmp_path):
    """Slicer's temporary folder, empty."""
    folder = tmp_path / "temp"
    folder.mkdir()
    return folder


@pytest.fixture
def scene(tmp_path, temp, dialogs):
    """An empty scene in a fresh application."""
    from harness import application

    application.install(str(temp), str(tmp_path / "settings"))
    import slicer

    return slicer.mrmlScene


@pytest.fixture
def ct_node(scene):
    """A CT whose brighter cube the fake engine takes for a right kidney of 1 ml."""
    from KidneyParsingLib.mrml.scene import volume_node
    from KidneyParsingLib.volumes.volume import Volume

    array = np.full((20, 24, 28), -100, np.int16)
    array[5:10, 5:10, 5:10] = 60
    affine = np.array([[0.0, 2, 0, 10], [-2, 0, 0, 20], [0, 0, 2, 30], [0, 0, 0, 1]])
    return volume_node(scene, Volume(array, affine))


@pytest.fixture
def engine(monkeypatch):
    """Has the module start the fake engine; `engine.steps` are how many steps of 0.06 s it takes.

    With `engine.words` of ["speaking"] it says what the library says."""
    import qt
    from KidneyParsingModuleLib import Dependencies, EngineProcess
    from KidneyParsingModuleLib.EngineCommand import EngineCommand

    fake = SimpleNamespace(steps=5, program=sys.executable, words=[])

    def command() -> EngineCommand:
        environment = qt.QProcessEnvironment.systemEnvironment()
        return EngineCommand(fake.program, [str(FAKE_ENGINE), str(fake.steps), *fake.words], environment)

    # The default of EngineProcess's argument is bound already.
    monkeypatch.setattr(EngineProcess.EngineProcess.__init__, "__defaults__", (command,))
    monkeypatch.setattr(Dependencies, "missingPackages", lambda path: [])
    return fake


@pytest.fixture
def python_slicer(scene, tmp_path, monkeypatch):
    """A program PythonSlicer on the path: this Python, which runs the real engine."""
    if sys.platform == "win32":
        pytest.skip("the stand-in for PythonSlicer is a shell script")
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "PythonSlicer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def open_panel(scene, engine):
    """Opens the module's panel, as often as it is called."""
    from harness.panel import OpenPanel

    opened = []

    def open_one() -> OpenPanel:
        opened.append(OpenPanel())
        return opened[-1]

    yield open_one
    for panel in opened:
        panel.close()


@pytest.fixture
def reopened(scene, tmp_path):
    """Saves the scene, opens the file as another one, and gives the segmentation in that."""
    from KidneyParsingLib.mrml.scene import create_scene

    opened = []

    def run():
        import slicer

        scene.SetURL(str(tmp_path / "scene.mrml"))
        assert scene.Commit()
        opened.append(create_scene())
        opened[-1].scene.SetURL(str(tmp_path / "scene.mrml"))
        opened[-1].scene.Import()
        (node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode", opened[-1].scene)
        return node

    return run


@pytest.fixture
def panel(ct_node, open_panel):
    """The open panel in a scene with a CT."""
    return open_panel()


@pytest.fixture
def segment(panel):
    """Presses Apply and waits for the run to end."""
    from harness.start import run_until

    def run():
        panel.ui.applyButton.click()
        run_until(lambda: not panel.widget.logic.isRunning)
        return panel.parameters.outputSegmentation

    return run
