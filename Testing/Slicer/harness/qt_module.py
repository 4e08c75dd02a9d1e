"""The module `qt`: PySide6's classes under PythonQt's one name.

PythonQt makes every Qt property an attribute (`button.text`), PySide6 makes it a method (`button.text()`). The module
uses neither: it calls setters, takes values from signals' arguments, and reads by `property(name)`, which both have.
test_qt_subset.py watches over that.
"""

from __future__ import annotations

import os
import sys
import types

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed", exc_type=ImportError)

import PySide6  # noqa: E402
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets  # noqa: E402

if PySide6.__version_info__[:2] == (6, 12) and sys.version_info < (3, 12):
    pytest.skip("PySide6 6.12 miscounts references to None before Python 3.12", allow_module_level=True)


class FileDialog:
    """`qt.QFileDialog`, whose static functions return the path alone in PythonQt; empty when the user cancels."""

    answers: list[str] = []
    asked: list[tuple] = []

    @classmethod
    def getSaveFileName(cls, parent=None, title="", directory="", filter=""):
        return cls._answer(title, directory, filter)

    @classmethod
    def getExistingDirectory(cls, parent=None, title="", directory=""):
        return cls._answer(title, directory)

    @classmethod
    def _answer(cls, *question):
        cls.asked.append(question)
        return cls.answers.pop(0) if cls.answers else ""


def _qt_class(name: str) -> type:
    if name == "QFileDialog":
        return FileDialog
    for library in (QtCore, QtGui, QtWidgets, QtUiTools):
        if name.startswith("Q") and hasattr(library, name):
            return getattr(library, name)
    raise AttributeError(name)


def install() -> QtWidgets.QApplication:
    """Make `import qt` work, and start a Qt application."""
    module = types.ModuleType("qt")
    module.__getattr__ = _qt_class
    sys.modules["qt"] = module
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
