"""The module uses Qt only in ways that mean the same to PythonQt and to PySide6, on which these tests run.

A Qt property is an attribute in PythonQt (`slider.value`) and a method in PySide6 (`slider.value()`); to read one
either way works in one of them only, and to assign one (`button.text = ...`) does nothing in PySide6.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from harness import start

start.install()

from harness import widgets  # noqa: E402
from harness.qt_module import QtCore, QtGui, QtWidgets  # noqa: E402

FILES = [start.MODULE_FOLDER / "KidneyParsing.py", *(start.MODULE_FOLDER / "KidneyParsingModuleLib").glob("*.py")]
CLASSES = (
    QtWidgets.QLabel,
    QtWidgets.QPushButton,
    QtWidgets.QCheckBox,
    QtWidgets.QComboBox,
    QtWidgets.QSlider,
    QtWidgets.QProgressBar,
    QtWidgets.QPlainTextEdit,
    QtWidgets.QTableWidget,
    QtGui.QShortcut,
    QtCore.QTimer,
    widgets.qMRMLNodeComboBox,
)
# Properties of Qt objects whose names our own objects, Python's or MRML's have too, or that no code here reads.
COMMON = {
    "text",
    "size",
    "key",
    "value",
    "context",
    "objectName",
    "enabled",
    "state",
    "format",
    "name",
    "count",
    "visible",
}
# Objects whose attributes are no properties of Qt's.
NOT_QT = ("self.parent", "slicer.app", "layoutManager", "self", "sizeHint")


def qt_properties() -> set[str]:
    metas = [qt_class.staticMetaObject for qt_class in CLASSES]
    return {meta.property(index).name() for meta in metas for index in range(meta.propertyCount())}


def attributes(path: Path) -> list[ast.Attribute]:
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)]


def is_widget(node: ast.expr) -> bool:
    """Whether the expression is a widget of the .ui file: `self._ui.NAME`, `ui.NAME`."""
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("ui", "self.ui", "self._ui")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_qt_property_is_read_called_or_assigned(path: Path):
    for node in attributes(path):
        forbidden = qt_properties() if is_widget(node.value) else qt_properties() - COMMON
        assert ast.unparse(node.value) in NOT_QT or node.attr not in forbidden, ast.unparse(node)


@pytest.mark.parametrize(
    "code", ["self._ui.slider.value", "combo.currentIndex()", "button.toolTip = 'x'", "ui.x.text()"]
)
def test_the_check_sees_what_is_wrong(code, tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(code)
    with pytest.raises(AssertionError):
        test_no_qt_property_is_read_called_or_assigned(path)
