"""`slicer.ScriptedLoadableModule`: the base classes of a scripted module, by Slicer's own file of that name."""

from __future__ import annotations

import os
import unittest

import slicer

UNLOADED = "moduleAboutToBeUnloaded(QString)"


class ScriptedLoadableModule:
    """Keeps the module object of the application, whose title, categories and texts the module sets."""

    def __init__(self, parent) -> None:
        self.parent = parent


class ScriptedLoadableModuleWidget:
    """Has the panel's widget as `parent` and its layout as `layout`; without a parent it makes one and sets up.

    `cleanup` is called when the application quits, for every panel ever made, also when its widget is gone.
    """

    def __init__(self, parent=None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent or self._create_parent()
        self.layout = self.parent.layout()
        if parent is None:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().connect(UNLOADED, self._onModuleAboutToBeUnloaded)

    def resourcePath(self, name: str) -> str:
        return os.path.join(os.path.dirname(slicer.util.modulePath(self.moduleName)), "Resources", name)

    def setup(self) -> None:
        """The application calls it once, before the first `enter`."""

    def cleanup(self) -> None:
        """The application calls it when the module is unloaded or reloaded."""

    def onReload(self) -> None:
        slicer.util.reloadScriptedModule(self.moduleName)

    def _onModuleAboutToBeUnloaded(self, name: str) -> None:
        if name == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect(UNLOADED, self._onModuleAboutToBeUnloaded)

    def _create_parent(self):
        import qt

        parent = slicer.qMRMLWidget()
        parent.setLayout(qt.QVBoxLayout())
        parent.setMRMLScene(slicer.mrmlScene)
        return parent


class ScriptedLoadableModuleLogic:
    """`getParameterNode` returns the scene's one vtkMRMLScriptedModuleNode of this module, made when missing."""

    def __init__(self, parent=None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetAttribute("ModuleName", self.moduleName)
            node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A unittest.TestCase; `delayDisplay` shows a message."""

    def delayDisplay(self, message: str, *_, **__) -> None:
        print(message)
