"""The panel's corrections: a Segment Editor with what helps here, and what the user thinks of each structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from .Texts import statusText

EFFECTS = ("Paint", "Draw", "Erase", "Scissors", "Islands", "Smoothing")
UNDO_STATES = 10
# Not Segment Editor's own node: what the user chose there stays as it is.
EDITOR_TAG = "KidneyParsing"
EFFECT_SIGNAL = "effectRegistered(QString)"


class CorrectPanel:
    """Embeds qMRMLSegmentEditorWidget as Slicer's module Segment Editor does; every edit can be undone there."""

    def __init__(self, ui: Any, scene: slicer.vtkMRMLScene, onStatusChanged: Callable[[], None]) -> None:
        self._ui = ui
        self._scene = scene
        self._onStatusChanged = onStatusChanged
        self._nodeID = ""
        self._editor = self._createEditor()
        # If this is the first module that Slicer opens, some effects come only after it.
        self._effects = slicer.qSlicerSegmentEditorEffectFactory.instance()
        self._effects.connect(EFFECT_SIGNAL, self._onEffectRegistered)
        ui.acceptButton.clicked.connect(self.onAccept)
        ui.needsWorkButton.clicked.connect(self.onNeedsWork)

    def enter(self) -> None:
        """Make the editor ready when the user opens the module."""
        self._selectEditorNode()
        self._editor.updateWidgetFromMRML()

    def exit(self) -> None:
        """Let go of the views while another module is open."""
        if self._editor:
            self._editor.setActiveEffect(None)
            self._editor.removeViewObservations()

    def close(self) -> None:
        """Let go of views, segmentation and editor for good. Again, when the widget may be gone, it does nothing."""
        if self._editor is None:
            return
        self.exit()
        self._editor.setSegmentationNode(None)
        # After a reload the old editor is hidden, not gone: it must not paint along with the new one.
        self._editor.setMRMLSegmentEditorNode(None)
        self._effects.disconnect(EFFECT_SIGNAL, self._onEffectRegistered)
        self._editor = None

    def forgetScene(self) -> None:
        """Let go of everything of a scene that closes."""
        self._nodeID = ""
        self._editor.setSegmentationNode(None)
        self._editor.removeViewObservations()

    def setSegmentation(
        self, node: slicer.vtkMRMLSegmentationNode | None, volumeNode: slicer.vtkMRMLScalarVolumeNode | None
    ) -> None:
        """Edit this segmentation over that CT."""
        self._selectEditorNode()
        self._nodeID = node.GetID() if node else ""
        # Setting what is set already would end the effect that the user works with.
        if (self._editor.segmentationNodeID() or "") != self._nodeID:
            self._editor.setSegmentationNode(node)
        if (self._editor.sourceVolumeNodeID() or "") != (volumeNode.GetID() if volumeNode else ""):
            self._editor.setSourceVolumeNode(volumeNode)
        for button in (self._ui.acceptButton, self._ui.needsWorkButton):
            button.setEnabled(node is not None)
        self._ui.correctLabel.setText("" if node else _("There is nothing to correct yet."))

    def select(self, segmentID: str) -> None:
        """Choose a segment to edit or mark."""
        self._editor.setCurrentSegmentID(segmentID)

    def saveForUndo(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Keep the segments of a node as they are now; Undo in the editor brings them back."""
        self._selectEditorNode()
        self._nodeID = node.GetID()
        self._editor.setActiveEffect(None)
        self._editor.setSegmentationNode(node)
        self._editor.saveStateForUndo()

    def undo(self) -> None:
        """Take the last edit back, as the editor's own button does."""
        self._editor.undo()

    def onAccept(self, checked: bool = False) -> None:
        """Mark the chosen structure as right, or take that back."""
        from KidneyParsingLib.mrml.review_views import ACCEPTED

        self._mark(ACCEPTED)

    def onNeedsWork(self, checked: bool = False) -> None:
        """Mark the chosen structure for more work, or take that back."""
        from KidneyParsingLib.mrml.review_views import NEEDS_WORK

        self._mark(NEEDS_WORK)

    def _mark(self, status: str) -> None:
        from KidneyParsingLib.mrml.review_views import setStatus, statusOf

        node = self._scene.GetNodeByID(self._nodeID) if self._nodeID else None
        segmentID = self._editor.currentSegmentID()
        if node is None or not segmentID:
            self._ui.correctLabel.setText(_("Choose a structure in the list below first."))
            return
        status = "" if statusOf(node, segmentID) == status else status
        setStatus(node, segmentID, status)
        name = node.GetSegmentation().GetSegment(segmentID).GetName()
        self._ui.correctLabel.setText(
            _("{name}: {status}").format(name=name, status=statusText(status) or _("not marked"))
        )
        self._onStatusChanged()

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
        self._editor.setMRMLSegmentEditorNode(self._editorNode())

    def _editorNode(self) -> slicer.vtkMRMLSegmentEditorNode:
        node = self._scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = self._scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            # The scene's call counts a reference that Python does not know of.
            node.UnRegister(None)
            node.SetSingletonTag(EDITOR_TAG)
            node = self._scene.AddNode(node)
        return node
