"""Functions of `slicer.util` that need Slicer's application; what slicer-core's own file can do stays as it is."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import slicer
import slicer.util
from PySide6.QtWidgets import QMessageBox, QWidget

from .qt_module import QtUiTools
from .widgets import LOADABLE


class Dialogs:
    """What dialogs said, and the answers that they get; Yes and Ok where no answer was laid out."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.answers: list = []

    def ask(self, text: str, usual):
        self.said.append(text)
        return self.answers.pop(0) if self.answers else usual


dialogs = Dialogs()
calls: list[tuple] = []
MODULE_PATHS: dict[str, str] = {}


def load_ui(path: str) -> QWidget:
    """`slicer.util.loadUI`: the widget of a .ui file; RuntimeError if there is none."""
    loader = QtUiTools.QUiLoader()
    for widget_class in LOADABLE:
        loader.registerCustomWidget(widget_class)
    widget = loader.load(str(path))
    if widget is None:
        raise RuntimeError(f"Could not load UI file: {path}")
    return widget


def child_widget_variables(widget: QWidget) -> SimpleNamespace:
    """`slicer.util.childWidgetVariables`: named child widgets as attributes."""
    return SimpleNamespace(**{c.objectName(): c for c in widget.findChildren(QWidget) if c.objectName()})


@contextmanager
def try_with_error_display(message=None, show=True, waitCursor=False):
    """`slicer.util.tryWithErrorDisplay`: an exception is shown, though not in testing mode, and raised again."""
    try:
        yield
    except Exception as error:
        if show and not slicer.app.testingEnabled():
            slicer.util.errorDisplay(f"{message}\n\n{error}" if message else str(error))
        raise


def message_box(text, parent=None, **options):
    """`slicer.util.messageBox`: the button that was pressed; Ok without asking in testing mode."""
    return QMessageBox.Ok if slicer.app.testingEnabled() else dialogs.ask(text, QMessageBox.Yes)


def confirm(text, windowTitle=None, parent=None, **options):
    """`confirmOkCancelDisplay`, `confirmYesNoDisplay`: whether the user agrees; True without asking in testing mode."""
    return slicer.app.testingEnabled() or dialogs.ask(text, True)


def install() -> None:
    """Put the stand-ins into `slicer.util`."""
    util = slicer.util
    util.loadUI = load_ui
    util.childWidgetVariables = child_widget_variables
    util.tryWithErrorDisplay = try_with_error_display
    util.messageBox = message_box
    util.errorDisplay = lambda text, *_, **__: dialogs.ask(text, None)
    util.confirmOkCancelDisplay = confirm
    util.confirmYesNoDisplay = confirm
    util.showStatusMessage = lambda text, *_: calls.append(("showStatusMessage", text))
    util.openAddVolumeDialog = lambda: calls.append(("openAddVolumeDialog",))
    util.selectModule = lambda name: calls.append(("selectModule", name))
    util.saveScene = lambda path: bool(calls.append(("saveScene", path)) or True)
    util.mainWindow = lambda: None
    util.modulePath = MODULE_PATHS.__getitem__
