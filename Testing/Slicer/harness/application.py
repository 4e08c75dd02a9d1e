"""`slicer.app` and `slicer.mrmlScene`: a scene with Slicer's logics, and an application without a main window."""

from __future__ import annotations

import re

import slicer
from PySide6.QtCore import QProcessEnvironment, QSettings
from PySide6.QtWidgets import QApplication


class ModuleManager:
    """`slicer.app.moduleManager()`: tells the panels when their module goes, an error in one of them is an error."""

    def __init__(self) -> None:
        self._slots: list = []

    def connect(self, signal: str, slot) -> None:
        self._slots.append((signal, slot))

    def disconnect(self, signal: str, slot) -> None:
        self._slots.remove((signal, slot))

    def unload(self, name: str) -> None:
        """Slicer quits."""
        for _, slot in list(self._slots):
            slot(name)


class CoreIOManager:
    """Slicer's reading and writing, as far as the module uses it."""

    def forceFileNameValidCharacters(self, name: str) -> str:
        """As Slicer does: only these characters stay."""
        return re.sub(r"[^A-Za-z0-9 \-_.()$!~#'%^{}]", "", name).strip()


class Application:
    """What the module asks of `slicer.app`; `layoutManager` is None, as with --no-main-window, unless one is given."""

    def __init__(self, temporary_path: str) -> None:
        self.temporaryPath = temporary_path
        self.testing = False
        self.manager = None
        self.connections: list[tuple] = []
        self.modules = ModuleManager()
        self.environment = QProcessEnvironment.systemEnvironment()

    def testingEnabled(self) -> bool:
        return self.testing

    def layoutManager(self):
        return self.manager

    def moduleManager(self) -> ModuleManager:
        return self.modules

    def coreIOManager(self) -> CoreIOManager:
        return CoreIOManager()

    def connect(self, signal: str, slot) -> None:
        self.connections.append((signal, slot))

    def startupEnvironment(self) -> QProcessEnvironment:
        return QProcessEnvironment(self.environment)

    def processEvents(self) -> None:
        QApplication.processEvents()


def install(temporary_path: str, settings_path: str) -> None:
    """A fresh application with an empty scene, and settings in a folder of their own."""
    from KidneyParsingLib.mrml.scene import create_scene

    QSettings.setDefaultFormat(QSettings.IniFormat)
    QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, settings_path)
    slicer.app = Application(temporary_path)
    # The logics must live as long as the scene.
    slicer.app.scene_environment = create_scene()
    slicer.mrmlScene = slicer.app.scene_environment.scene
    slicer.app.markups_logic = _markups_logic(slicer.app.scene_environment)


def _markups_logic(environment):
    """Slicer's own logic of the module Markups: it gives new markups a display node and has clicks draw them."""
    logic = slicer.vtkSlicerMarkupsLogic()
    logic.SetMRMLApplicationLogic(environment.application_logic)
    logic.SetMRMLScene(environment.scene)
    return logic
