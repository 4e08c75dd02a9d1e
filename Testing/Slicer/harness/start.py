"""Puts all stand-ins in place, so that the module's files can be imported."""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from . import i18n, parameter_node, qt_module, scripted_module, slicer_util, widgets  # noqa: E402

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "KidneyParsing"


def install() -> qt_module.QtWidgets.QApplication:
    """Make `qt`, `ctk`, `slicer.i18n` and the like importable, and start a Qt application."""
    application = qt_module.install()
    application.setOrganizationName("KidneyParsing")
    application.setApplicationName("harness")
    sys.modules["ctk"] = types.ModuleType("ctk")
    _add_module("i18n", tr=i18n.tr, translate=i18n.translate)
    _add_module("parameterNodeWrapper", parameterNodeWrapper=parameter_node.parameterNodeWrapper)
    names = [name for name in vars(scripted_module) if name.startswith("ScriptedLoadable")]
    _add_module("ScriptedLoadableModule", **{name: getattr(scripted_module, name) for name in names})
    own = (widgets.qMRMLWidget, widgets.qMRMLSegmentEditorWidget, widgets.qSlicerSegmentEditorEffectFactory)
    for widget_class in own:
        setattr(slicer, widget_class.__name__, widget_class)
    slicer_util.install()
    slicer_util.MODULE_PATHS["KidneyParsing"] = str(MODULE_FOLDER / "KidneyParsing.py")
    if str(MODULE_FOLDER) not in sys.path:
        sys.path.insert(0, str(MODULE_FOLDER))
    return application


def run_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Let Qt work until the condition holds; fails the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        qt_module.QtCore.QCoreApplication.processEvents()
        time.sleep(0.002)


def _add_module(name: str, **members: object) -> None:
    module = types.ModuleType(f"slicer.{name}")
    vars(module).update(members)
    setattr(slicer, name, module)
    sys.modules[f"slicer.{name}"] = module
