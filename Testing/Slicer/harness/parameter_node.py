"""`slicer.parameterNodeWrapper`: typed parameters in a node of the scene, bound to widgets by SlicerParameterName."""

from __future__ import annotations

import typing

import vtk
from PySide6.QtWidgets import QWidget

from .widgets import qMRMLNodeComboBox

# Whether an observer stays behind when the widgets are disconnected, as in Slicer 5.10.
FORGETS = False


def parameterNodeWrapper(cls: type) -> type:
    """A class whose fields live in the node given to its constructor: texts as parameters, nodes as references."""
    cls.defaults = {}
    for name, kind in typing.get_type_hints(cls).items():
        cls.defaults[name] = getattr(cls, name) if kind is str else None
        setattr(cls, name, _text(name) if kind is str else _node(name, kind))
    cls.__init__ = _init
    cls.connectGui = _connect_gui
    cls.disconnectGui = _disconnect_gui
    cls.AddObserver = lambda self, *arguments: self.parameterNode.AddObserver(*arguments)
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    return cls


def _text(name: str) -> property:
    def write(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is no text")
        self.parameterNode.SetParameter(name, value)

    return property(lambda self: self.parameterNode.GetParameter(name), write)


def _node(name: str, kind: type) -> property:
    def write(self, node) -> None:
        if node is not None and not isinstance(node, kind):
            raise TypeError(f"{node.GetClassName()} is no {kind.__name__}")
        # As in Slicer: a node is a parameter that is there, and a reference.
        self.parameterNode.SetParameter(name, "")
        self.parameterNode.SetNodeReferenceID(name, node.GetID() if node else None)

    return property(lambda self: self.parameterNode.GetNodeReference(name), write)


def _init(self, parameter_node) -> None:
    self.parameterNode = parameter_node
    self._bound: dict[int, tuple] = {}
    for name, default in self.defaults.items():
        if not parameter_node.HasParameter(name):
            setattr(self, name, default)


def _connect_gui(self, ui) -> int:
    """Widgets show the parameters from now on and change them; returns a tag for `disconnectGui`."""
    slots = {}
    for widget in vars(ui).values():
        name = widget.property("SlicerParameterName") if isinstance(widget, QWidget) else None
        if not name:
            continue
        if type(widget) is not qMRMLNodeComboBox:
            raise TypeError(f"{name}: {type(widget).__name__} is not bound in this stand-in")
        widget.setCurrentNode(getattr(self, name))
        slots[widget] = (name, _slot(self, name))
        widget.currentNodeChanged.connect(slots[widget][1])
    # One observer for all widgets, which 5.10 forgets to remove.
    observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: _show(self, slots))
    tag = len(self._bound)
    self._bound[tag] = (slots, observer)
    return tag


def _slot(parameters, name: str):
    return lambda node: setattr(parameters, name, node)


def _show(parameters, slots: dict) -> None:
    for widget, (name, _) in slots.items():
        if widget.currentNode() is not getattr(parameters, name):
            widget.setCurrentNode(getattr(parameters, name))


def _disconnect_gui(self, tag: int) -> None:
    slots, observer = self._bound.pop(tag, ({}, None))
    for widget, (_, slot) in slots.items():
        widget.currentNodeChanged.disconnect(slot)
    if observer is not None and not FORGETS:
        self.RemoveObserver(observer)
    slots.clear()
