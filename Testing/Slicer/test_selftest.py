"""The module's own tests for inside Slicer, run in the harness, so that they are right when Slicer runs them."""

from __future__ import annotations

import unittest

import pytest
from harness import start

start.install()

import slicer  # noqa: E402
from harness.panel import load_module  # noqa: E402
from harness.qt_module import QtCore  # noqa: E402
from harness.sample import load_sample  # noqa: E402

NAMES = [name for name in dir(load_module().KidneyParsingTest) if name.startswith("test_")]


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
