"""The module's own tests for inside Slicer, run in the harness, so that they are right when Slicer runs them."""

from __future__ import annotations

import os
import sys
import unittest

import pytest
from harness import start

start.install()

import slicer  # noqa: E402
from harness.panel import load_module  # noqa: E402
from harness.qt_module import QtCore  # noqa: E402

NAMES = [name for name in dir(load_module().KidneyParsingTest) if name.startswith("test_")]


@pytest.fixture
def python_slicer(scene, tmp_path, monkeypatch):
    """A program PythonSlicer on the path: this Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "PythonSlicer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for PythonSlicer is a shell script")
@pytest.mark.parametrize("name", NAMES)
def test_passes_in_the_harness(python_slicer, name, monkeypatch):
    module = load_module()
    if name == "test_run":
        pytest.importorskip("torch", reason="torch is not installed")
        # Slicer's Sample Data is not here; the file is.
        monkeypatch.setattr(module, "loadSampleCTA", load_sample)
    outcome = unittest.TestResult()
    module.KidneyParsingTest(name).run(outcome)
    problems = [text for _, text in outcome.errors + outcome.failures]
    assert problems == [] and outcome.testsRun == 1
    # An error of a panel that a test has left behind, at the end of Slicer, would fail the whole test there.
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
    slicer.app.moduleManager().unload("KidneyParsing")
    assert not outcome.skipped or pytest.skip(outcome.skipped[0][1])


def load_sample():
    """The sample CT as Sample Data would load it."""
    from KidneyParsingModuleLib.SampleData import _sampleFiles, sampleFolder

    from KidneyParsingLib.mrml.scene import volume_node
    from KidneyParsingLib.volumes.reading import read_ct

    name = _sampleFiles()[0]["name"]
    return volume_node(slicer.mrmlScene, read_ct(sampleFolder() / name), "Kidney CTA")
