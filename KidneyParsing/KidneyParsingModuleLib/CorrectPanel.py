"""The panel's corrections: a Segment Editor with what helps here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

EFFECTS = ("Paint", "Draw", "Erase", "Scissors", "Islands", "Smoothing")
UNDO_STATES = 10
# Not Segment Editor's own node: what the user chose there stays as it is.
EDITOR_TAG = "KidneyParsing"
EFFECT_SIGNAL = "effectRegistered(QString)"


class CorrectPanel:
    """Embeds qMRMLSegmentEditorWidget as Slicer's module Segment Editor does; every edit can be undone there.

    `onSelected` is called with the id of the segment that is edited, empty if none is, whenever that may have changed.
    """

    def __init__(self, ui: Any, scene: slicer.vtkMRMLScene, onSelected: Callable[[str], None]) -> None:
        self._ui = ui
        self._scene = scene
        self._onSelected = onSelected
        self._watched: slicer.vtkMRMLSegmentEditorNode | None = None
        self._watchTag = 0
        self._editor = self._createEditor()
        # If this is the first module that Slicer opens, some effects come only after it.
        self._effects = slicer.qSlicerSegmentEditorEffectFactory.instance()
        self._effects.connect(EFFECT_SIGNAL, self._onEffectRegistered)

    def enter(self) -> None:
        """Make the editor and its keys ready when the user opens the module."""
        self._selectEditorNode()
        self._editor.updateWidgetFromMRML()
        # Keys of a widget work while it is on screen: not while the section is closed, nor without a main window.
        self._editor.installKeyboardShortcuts(self._ui.editorWidget)

    def exit(self) -> None:
        """Let go of views and keys while another module is open."""
        if self._editor:
            self._editor.uninstallKeyboardShortcuts()
            self._editor.setActiveEffect(None)
            self._editor.removeViewObservations()

    def close(self) -> None:
        """Let go of views, segmentation and editor for good. Again, when the widget may be gone, it does nothing."""
        if self._editor is None:
            return
        self.exit()
        self._watch(None)
        self._editor.setSegmentationNode(None)
        # After a reload the old editor is hidden, not gone: it must not paint along with the new one.
        self._editor.setMRMLSegmentEditorNode(None)
        self._effects.disconnect(EFFECT_SIGNAL, self._onEffectRegistered)
        self._editor = None

    def forgetScene(self) -> None:
        """Let go of everything of a scene that closes."""
        self._editor.setReadOnly(True)
        self._editor.setSegmentationNode(None)
        self._editor.removeViewObservations()

    def setSegmentation(
        self, node: slicer.vtkMRMLSegmentationNode | None, volumeNode: slicer.vtkMRMLScalarVolumeNode | None
    ) -> None:
        """Edit this segmentation over that CT."""
        self._selectEditorNode()
        # Setting what is set already would end the effect that the user works with.
        if (self._editor.segmentationNodeID() or "") != (node.GetID() if node else ""):
            self._editor.setSegmentationNode(node)
        if (self._editor.sourceVolumeNodeID() or "") != (volumeNode.GetID() if volumeNode else ""):
            self._editor.setSourceVolumeNode(volumeNode)
        # Slicer 5.10 crashes on a key that chooses an effect where there is no segmentation.
        self._editor.setReadOnly(node is None)
        self._ui.correctLabel.setText("" if node else _("There is nothing to correct yet."))
        self._tellSelected()

    def select(self, segmentID: str) -> None:
        """Choose a segment to edit."""
        self._editor.setCurrentSegmentID(segmentID)

    def saveForUndo(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Keep the segments of a node as they are now; Undo in the editor brings them back."""
        self._selectEditorNode()
        self._editor.setActiveEffect(None)
        self._editor.setSegmentationNode(node)
        self._editor.saveStateForUndo()

    def undo(self) -> None:
        """Take the last edit back, as the editor's own button does."""
        self._editor.undo()

    def _tellSelected(self, *_arguments: object) -> None:
        self._onSelected(self._editor.currentSegmentID() or "")

    def _onEffectRegistered(self) -> None:
        self._editor.updateEffectList()

    def _createEditor(self) -> Any:
        editor = slicer.qMRMLSegmentEditorWidget()
        editor.setMaximumNumberOfUndoStates(UNDO_STATES)
        editor.setSegmentationNodeSelectorVisible(False)
        editor.setSourceVolumeNodeSelectorVisible(False)
        editor.setSwitchToSegmentationsButtonVisible(False)
        # The slice views show what the user chose to see.
        editor.setAutoShowSourceVolumeNode(False)
        editor.setEffectNameOrder(list(EFFECTS))
        # Its setter is no slot, so that only the property is known to Python.
        editor.setProperty("unorderedEffectsVisible", False)
        self._ui.editorWidget.layout().setContentsMargins(0, 0, 0, 0)
        self._ui.editorWidget.layout().addWidget(editor)
        # The editor's node comes before its scene, whose automatic choices are stored in it.
        editor.setMRMLSegmentEditorNode(self._editorNode())
        editor.setMRMLScene(self._scene)
        return editor

    def _selectEditorNode(self) -> None:
        node = self._editorNode()
        self._editor.setMRMLSegmentEditorNode(node)
        self._watch(node)

    def _watch(self, node: slicer.vtkMRMLSegmentEditorNode | None) -> None:
        """Hear of the choice of a segment; the editor's own signal is silent for those that are made by keys."""
        if node is self._watched:
            return
        if self._watched:
            self._watched.RemoveObserver(self._watchTag)
        self._watched = node
        if node:
            self._watchTag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._tellSelected)

    def _editorNode(self) -> slicer.vtkMRMLSegmentEditorNode:
        node = self._scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = self._scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            # The scene's call counts a reference that Python does not know of.
            node.UnRegister(None)
            node.SetSingletonTag(EDITOR_TAG)
            node = self._scene.AddNode(node)
        return node
