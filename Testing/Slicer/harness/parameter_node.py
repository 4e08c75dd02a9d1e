"""`slicer.parameterNodeWrapper`: typed parameters in a node of the scene, bound to widgets by SlicerParameterName."""

from __future__ import annotations

import typing

import vtk
from PySide6.QtWidgets import QWidget

from .widgets import qMRMLNodeComboBox


def parameterNodeWrapper(cls: type) -> type:
    """A class whose fields live in the node given to its constructor: texts as parameters, nodes as references."""
    for name, kind in typing.get_type_hints(cls).items():
        setattr(cls, name, _text(name, getattr(cls, name)) if kind is str else _node(name))
    cls.__init__ = _init
    cls.connectGui = _connect_gui
    cls.disconnectGui = _disconnect_gui
    cls.AddObserver = lambda self, *arguments: self.parameterNode.AddObserver(*arguments)
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    return cls


def _text(name: str, default: str) -> property:
    def read(self) -> str:
        return self.parameterNode.GetParameter(name) or default

    return property(read, lambda self, value: self.parameterNode.SetParameter(name, _checked(value)))


def _checked(value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _node(name: str) -> property:
    def write(self, node) -> None:
        self.parameterNode.SetNodeReferenceID(name, node.GetID() if node else None)

    return property(lambda self: self.parameterNode.GetNodeReference(name), write)


def _init(self, parameter_node) -> None:
    self.parameterNode = parameter_node
    self._bound: dict[int, list] = {}


def _connect_gui(self, ui) -> int:
    """Widgets show the parameters from now on and change them; returns a tag for `disconnectGui`."""
    bound = []
    for widget in vars(ui).values():
        name = widget.property("SlicerParameterName") if isinstance(widget, QWidget) else None
        if not name:
            continue
        if type(widget) is not qMRMLNodeComboBox:
            raise TypeError(f"{name}: {type(widget).__name__} is not bound in this stand-in")
        widget.setCurrentNode(getattr(self, name))
        slot = _slot(self, name)
        widget.currentNodeChanged.connect(slot)
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, _shower(self, widget, name))
        bound.append((widget, slot, observer))
    tag = len(self._bound)
    self._bound[tag] = bound
    return tag


def _slot(parameters, name: str):
    return lambda node: setattr(parameters, name, node)


def _shower(parameters, widget, name: str):
    def show(*_) -> None:
        if widget.currentNode() is not getattr(parameters, name):
            widget.setCurrentNode(getattr(parameters, name))

    return show


def _disconnect_gui(self, tag: int) -> None:
    for widget, slot, observer in self._bound.pop(tag, ()):
        widget.currentNodeChanged.disconnect(slot)
        self.RemoveObserver(observer)
