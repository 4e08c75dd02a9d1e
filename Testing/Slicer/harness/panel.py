"""Opens and leaves the module's panel in the order in which Slicer does it."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import slicer
from PySide6.QtWidgets import QVBoxLayout

from .start import MODULE_FOLDER
from .widgets import qMRMLWidget


class PanelParent(qMRMLWidget):
    """The widget that Slicer hands to a module's panel; `isEntered` says whether the module is the open one."""

    isEntered = False


class OpenPanel:
    """The module KidneyParsing with its panel open."""

    def __init__(self) -> None:
        self.module = load_module()
        self.description = self.module.KidneyParsing(SimpleNamespace(path=str(MODULE_FOLDER / "KidneyParsing.py")))
        self.parent = PanelParent()
        self.parent.setLayout(QVBoxLayout())
        self.widget = self.module.KidneyParsingWidget(self.parent)
        self.widget.setup()
        self.enter()

    @property
    def ui(self):
        return self.widget.ui

    @property
    def parameters(self):
        return self.widget.logic.getParameterNode()

    def enter(self) -> None:
        """The user opens the module."""
        self.parent.isEntered = True
        self.widget.enter()

    def exit(self) -> None:
        """The user opens another module."""
        self.parent.isEntered = False
        self.widget.exit()

    def close_scene(self) -> None:
        """File, Close Scene."""
        slicer.mrmlScene.Clear(False)

    def close(self) -> None:
        """Slicer quits, or the module is reloaded."""
        self.widget.cleanup()
        self.parent.deleteLater()

    def choose(self, combo, value: object) -> None:
        """The user chooses the entry with this data."""
        combo.setCurrentIndex(combo.findData(value))
        combo.activated.emit(combo.currentIndex())

    def picture(self, path: str, width: int = 460) -> None:
        """Write what the panel looks like as a PNG, at its full height."""
        self.parent.show()
        # Labels of several lines need more height in a narrow panel, which a scroll area gives them.
        self.parent.resize(width, max(self.parent.sizeHint().height(), self.parent.heightForWidth(width), 900))
        slicer.app.processEvents()
        self.parent.grab().save(path)


def load_module():
    """The module's main file, executed anew, as Slicer does at its start and at a reload."""
    spec = importlib.util.spec_from_file_location("KidneyParsing", MODULE_FOLDER / "KidneyParsing.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["KidneyParsing"] = module
    spec.loader.exec_module(module)
    return module
