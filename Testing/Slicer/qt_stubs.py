"""PySide6 and a few placeholders in the place of Slicer's `qt` and `slicer.i18n`, to run the module's helper files.

It proves control flow, signals and processes; what only PythonQt and Slicer's own widgets do, it cannot show.
"""

import os
import sys
import time
import types
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed", exc_type=ImportError)

import PySide6  # noqa: E402
from PySide6 import QtCore, QtUiTools, QtWidgets  # noqa: E402

if PySide6.__version_info__[:2] == (6, 12) and sys.version_info < (3, 12):
    pytest.skip("PySide6 6.12 miscounts references to None before Python 3.12", allow_module_level=True)

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "KidneyParsing"


def _qt_class(name: str) -> type:
    for library in (QtCore, QtWidgets, QtUiTools):
        if name.startswith("Q") and hasattr(library, name):
            return getattr(library, name)
    raise AttributeError(name)


def install() -> QtWidgets.QApplication:
    """Make the helper package importable and start a Qt application."""
    import slicer

    sys.modules["qt"] = types.ModuleType("qt")
    sys.modules["qt"].__getattr__ = _qt_class
    if not hasattr(slicer, "i18n"):
        slicer.i18n = types.ModuleType("slicer.i18n")
        slicer.i18n.tr = lambda text: text
        sys.modules["slicer.i18n"] = slicer.i18n
    if str(MODULE_FOLDER) not in sys.path:
        sys.path.insert(0, str(MODULE_FOLDER))
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication([])


def run_until(condition, seconds: float = 10.0) -> None:
    """Let Qt work until the condition holds; fails the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        QtCore.QCoreApplication.processEvents()
        time.sleep(0.002)
