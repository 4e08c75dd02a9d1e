"""Slicer's own widgets that the panel uses, as thin as they can be; nodes and scenes are real."""

from __future__ import annotations

import shiboken6
import slicer
from PySide6.QtCore import Property, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QLabel, QToolButton, QVBoxLayout, QWidget


class qMRMLWidget(QWidget):
    """`setMRMLScene` passes the scene on by the signal mrmlSceneChanged, which .ui files connect to node selectors.

    C++ signatures of .ui connections mean nothing to PySide6, so the scene goes to all children that take one.
    """

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)
        for child in self.findChildren(QWidget):
            if hasattr(child, "setMRMLScene"):
                child.setMRMLScene(scene)


class qMRMLNodeComboBox(QComboBox):
    """Lists the nodes of `nodeTypes` in the scene; chooses the first one by itself unless `noneEnabled`.

    As in Slicer, `showChildNodeTypes` lists classes derived from these too, and after a scene was imported the list is
    made anew, so that what was chosen is chosen no more.
    """

    currentNodeChanged = Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._scene = None
        self._types: list[str] = []
        self._none = False
        self._children = True
        self._shown = None
        self.currentIndexChanged.connect(self._tell)

    nodeTypes = Property("QStringList", lambda self: self._types, lambda self, types: self._set(types=list(types)))
    noneEnabled = Property(bool, lambda self: self._none, lambda self, none: self._set(none=none))
    showChildNodeTypes = Property(bool, lambda self: self._children, lambda self, shown: self._set(children=shown))
    addEnabled = Property(bool, lambda self: False, lambda self, value: None)
    removeEnabled = Property(bool, lambda self: False, lambda self, value: None)

    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent):
            scene.AddObserver(event, lambda *_: scene.IsImporting() or self._fill())
        scene.AddObserver(scene.EndImportEvent, lambda *_: self._fill_anew())
        self._fill()

    def currentNode(self):
        return self._scene.GetNodeByID(self.currentData()) if self._scene and self.currentData() else None

    def setCurrentNode(self, node) -> None:
        self._fill()
        self.setCurrentIndex(self.findData(node.GetID() if node else ""))

    def _set(self, types=None, none=None, children=None) -> None:
        self._types = self._types if types is None else types
        self._none = self._none if none is None else none
        self._children = self._children if children is None else children
        self._fill()

    def _fill_anew(self) -> None:
        self.blockSignals(True)
        self.setCurrentIndex(-1)
        self.blockSignals(False)
        self._tell()
        self._fill()

    def _fill(self) -> None:
        entries = [("None", "")] if self._none else []
        for node_class in self._types if self._scene else ():
            for node in slicer.util.getNodesByClass(node_class, self._scene):
                if not node.GetHideFromEditors() and (self._children or node.GetClassName() == node_class):
                    entries.append((node.GetName(), node.GetID()))
        current = self.currentData()
        self.blockSignals(True)
        self.clear()
        for name, node_id in entries:
            self.addItem(name, node_id)
        found = self.findData(current) if current else -1
        self.setCurrentIndex(found if found >= 0 else 0 if entries else -1)
        self.blockSignals(False)
        self._tell()

    def _tell(self, *_) -> None:
        if self.currentData() != self._shown:
            self._shown = self.currentData()
            self.currentNodeChanged.emit(self.currentNode())


class ctkCollapsibleButton(QWidget):
    """A titled section; `collapsed` hides what is in it."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._collapsed = False
        self._title = QToolButton(self)
        self._title.setAutoRaise(True)
        self._title.move(0, 0)

    def _set_text(self, text: str) -> None:
        self._title.setText(text)
        self._title.adjustSize()
        self.setContentsMargins(6, self._title.height(), 0, 4)

    def _set_collapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self.setMaximumHeight(self._title.height() if collapsed else 16777215)
        for child in self.findChildren(QWidget):
            if child is not self._title and child.parent() is self:
                child.setVisible(not collapsed)

    def childEvent(self, event) -> None:
        super().childEvent(event)
        if self._collapsed and event.added() and event.child().isWidgetType() and event.child() is not self._title:
            event.child().setVisible(False)

    text = Property(str, lambda self: self._title.text(), _set_text)
    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The embedded Segment Editor on Slicer's own logic for it: selection, undo and redo are real, effects are names.

    It has those slots and Q_INVOKABLE methods of Slicer's header that the module uses, as PythonQt knows no others; a
    property whose setter is neither is set by `setProperty`. As in Slicer, the selection is stored in a
    vtkMRMLSegmentEditorNode, which must be set before anything else, the first segment is selected by itself, so is the
    volume on whose grid the segmentation lies, saved states belong to the segmentation that is set, without one there
    is no volume, and after a scene was imported nothing is set.
    """

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self.calls: list[str] = []
        self._node = None
        self._history = slicer.vtkSegmentationHistory()
        self._effects: list[str] = []
        self._shortcuts: list[QShortcut] = []
        self._locked = False
        self._label = QLabel(self)
        QVBoxLayout(self).addWidget(self._label)

    def __getattribute__(self, name: str):
        """PythonQt refuses every use of a widget that Qt has destroyed."""
        if not shiboken6.isValid(self):
            raise ValueError(f"Trying to get {name} of a destroyed qMRMLSegmentEditorWidget")
        return super().__getattribute__(name)

    def setMRMLScene(self, scene) -> None:
        super().setMRMLScene(scene)
        scene.AddObserver(scene.EndImportEvent, lambda *_: self.setSegmentationNode(None))

    def setMRMLSegmentEditorNode(self, node) -> None:
        self._node = node

    def updateEffectList(self) -> None:
        self.calls.append("updateEffectList")

    def mrmlSegmentEditorNode(self):
        return self._node

    def setMaximumNumberOfUndoStates(self, count: int) -> None:
        self._history.SetMaximumNumberOfStates(count)

    def setEffectNameOrder(self, names: list[str]) -> None:
        self._effects = list(names)
        self._label.setText("Segment Editor: " + ", ".join(names))

    def effectNameOrder(self) -> list[str]:
        return self._effects

    def setSegmentationNode(self, node) -> None:
        if self._node is None and node is None:
            return
        self._node.SetAndObserveSegmentationNode(node)
        self._history.SetSegmentation(node.GetSegmentation() if node else None)
        ids = node.GetSegmentation().GetSegmentIDs() if node else ()
        if self._node.GetSelectedSegmentID() not in ids:
            self._node.SetSelectedSegmentID(ids[0] if ids else "")
        if node:
            self.setSourceVolumeNode(node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()))

    def segmentationNodeID(self) -> str:
        return self._node.GetSegmentationNode().GetID() if self._node.GetSegmentationNode() else ""

    def setSourceVolumeNode(self, node) -> None:
        if self._node.GetSegmentationNode():
            self._node.SetAndObserveSourceVolumeNode(node)

    def sourceVolumeNodeID(self) -> str:
        return self._node.GetSourceVolumeNode().GetID() if self._node.GetSourceVolumeNode() else ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        self._node.SetSelectedSegmentID(segment_id)

    def currentSegmentID(self) -> str:
        return self._node.GetSelectedSegmentID() or ""

    def saveStateForUndo(self) -> None:
        self.calls.append("saveStateForUndo")
        if self._node.GetSegmentationNode():
            self._history.SaveState()

    def undo(self) -> None:
        self._history.RestorePreviousState()

    def redo(self) -> None:
        self._history.RestoreNextState()

    def setActiveEffect(self, effect) -> None:
        self.calls.append("setActiveEffect")

    def updateWidgetFromMRML(self) -> None:
        self.calls.append("updateWidgetFromMRML")

    def installKeyboardShortcuts(self, parent) -> None:
        """Some of many keys, which work in the window of `parent` while that is visible."""
        self.uninstallKeyboardShortcuts()
        for key, slot in (
            ("Z", self.undo),
            ("Y", self.redo),
            ("W", self._next_segment),
            ("1", self._choose_effect),
        ):
            self._shortcuts.append(QShortcut(QKeySequence(key), parent))
            self._shortcuts[-1].activated.connect(slot)

    def uninstallKeyboardShortcuts(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts.clear()

    def _next_segment(self) -> None:
        ids = self._node.GetSegmentationNode().GetSegmentation().GetSegmentIDs()
        self.setCurrentSegmentID(ids[min(ids.index(self.currentSegmentID()) + 1, len(ids) - 1)])

    def setReadOnly(self, locked: bool) -> None:
        self._locked = locked

    def _choose_effect(self) -> None:
        """Slicer 5.10 uses the segmentation here whether there is one or not."""
        if not self._locked:
            self.calls.append("effect" if self._node.GetSegmentationNode() else "crash")

    def removeViewObservations(self) -> None:
        self.calls.append("removeViewObservations")

    def setSegmentationNodeSelectorVisible(self, visible: bool) -> None:
        self.calls.append(f"segmentation selector {visible}")

    def setSourceVolumeNodeSelectorVisible(self, visible: bool) -> None:
        self.calls.append(f"source selector {visible}")

    def setSwitchToSegmentationsButtonVisible(self, visible: bool) -> None:
        self.calls.append(f"switch button {visible}")

    def setAutoShowSourceVolumeNode(self, shown: bool) -> None:
        self.calls.append(f"auto show {shown}")


class qSlicerSegmentEditorEffectFactory:
    """Knows the effects of all modules, and says when one comes; `instance()` is the only one."""

    _instance = None

    def __init__(self) -> None:
        self._slots: list = []

    @classmethod
    def instance(cls) -> qSlicerSegmentEditorEffectFactory:
        cls._instance = cls._instance or cls()
        return cls._instance

    def connect(self, signal: str, slot) -> None:
        self._slots.append((signal, slot))

    def disconnect(self, signal: str, slot) -> None:
        self._slots.remove((signal, slot))

    def registerEffect(self) -> None:
        for _, slot in list(self._slots):
            slot()


LOADABLE = (qMRMLWidget, qMRMLNodeComboBox, ctkCollapsibleButton)
