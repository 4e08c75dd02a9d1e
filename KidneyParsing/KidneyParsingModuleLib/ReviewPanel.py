"""The panel's review: table of segments with marks, 3D views, clip plane."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import qt
import slicer

from .MarksPanel import MarksPanel
from .SegmentationWatch import SegmentationWatch
from .SegmentTable import SegmentTable
from .Shortcuts import VIEW_KEYS, nameKey
from .SurfaceKeeper import SurfaceKeeper
from .Texts import axisText, offsetText, viewText, viewTip

AXES = ("coronal", "axial", "sagittal")
COLUMNS = 2


class ReviewPanel:
    """Shows one segmentation of a scene and changes how it is shown, never its voxels.

    `onSelected` is called with the id of a segment that the user clicks.
    """

    def __init__(self, ui: Any, scene: slicer.vtkMRMLScene, onSelected: Callable[[str], None]) -> None:
        from KidneyParsingLib.mrml.clipping import ClipPlane

        self._ui = ui
        self._scene = scene
        self._nodeID = ""
        self._clipPlane = ClipPlane(scene)
        self._axis = AXES[0]
        self._table = SegmentTable(ui.segmentsTable, self.setVisible, self.setOpacity, onSelected)
        self._marks = MarksPanel(ui, self._node, self.refresh)
        self._watch = SegmentationWatch(self.refresh)
        self._surfaces = SurfaceKeeper(scene)
        self._viewButtons = self._createViewButtons()
        for axis in AXES:
            ui.clipAxisComboBox.addItem(axisText(axis), axis)
        ui.clipAxisComboBox.activated.connect(self._onAxis)
        ui.clipCheckBox.toggled.connect(self._onClip)
        ui.clipSlider.valueChanged.connect(self._setClipOffset)
        self.setSegmentation(None)

    def close(self) -> None:
        """Stop watching, and take the clip plane out of the scene."""
        self._watch.watch(None)
        self._surfaces.watch(None)
        self._clipPlane.disable()

    def setSegmentation(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Show this segmentation, or none. It is looked up anew whenever it is used, as nodes may go."""
        nodeID = node.GetID() if node else ""
        if node and nodeID == self._nodeID:
            return
        self._ui.clipCheckBox.setChecked(False)
        self._nodeID = nodeID
        self._watch.watch(node)
        self._surfaces.watch(node)
        for widget in (self._ui.clipCheckBox, *self._viewButtons):
            widget.setEnabled(node is not None)
        self.refresh()

    def refresh(self) -> None:
        """Show the segments as they are now, volumes counted anew."""
        from KidneyParsingLib.mrml.review_views import segmentRows

        node = self._node()
        self._table.show(segmentRows(node) if node else [])
        self._marks.show()

    def select(self, segmentID: str) -> None:
        """Show that this segment is chosen to mark and edit; empty for none."""
        self._table.select(segmentID)
        self._marks.select(segmentID)

    def showView(self, name: str, checked: bool = False) -> None:
        """Show in 3D what the view of this name shows."""
        from KidneyParsingLib.mrml.review_views import applyView

        self._change(applyView, name)

    def setVisible(self, segmentID: str, visible: bool) -> None:
        """Show or hide a segment."""
        from KidneyParsingLib.mrml.review_views import setSegmentVisible

        self._change(setSegmentVisible, segmentID, visible)

    def setOpacity(self, segmentID: str, opacity: float) -> None:
        """Set a segment's opacity in 3D (0..1)."""
        from KidneyParsingLib.mrml.review_views import setSegmentOpacity

        self._change(setSegmentOpacity, segmentID, opacity)

    def _node(self) -> slicer.vtkMRMLSegmentationNode | None:
        return self._scene.GetNodeByID(self._nodeID) if self._nodeID else None

    def _change(self, function: Callable[..., None], *values: object) -> None:
        node = self._node()
        if node:
            function(node, *values)

    def _createViewButtons(self) -> list[qt.QPushButton]:
        from KidneyParsingLib.mrml.review_views import VIEWS

        layout = self._ui.viewsWidget.layout()
        layout.setContentsMargins(0, 0, 0, 0)
        buttons = []
        for number, view in enumerate(VIEWS):
            button = qt.QPushButton(viewText(view.name))
            button.setToolTip(viewTip(view.name))
            keys = VIEW_KEYS.format(number=number + 1)
            button.setShortcut(qt.QKeySequence(keys))
            nameKey(button, keys)
            button.clicked.connect(partial(self.showView, view.name))
            layout.addWidget(button, number // COLUMNS, number % COLUMNS)
            buttons.append(button)
        return buttons

    def _onAxis(self, *_arguments: object) -> None:
        self._axis = self._ui.clipAxisComboBox.itemData(self._ui.clipAxisComboBox.property("currentIndex"))
        self._onClip(self._ui.clipCheckBox.isChecked())

    def _onClip(self, clipped: bool) -> None:
        node = self._node()
        for widget in (self._ui.clipAxisComboBox, self._ui.clipSlider):
            widget.setEnabled(bool(clipped and node))
        if not (clipped and node):
            self._clipPlane.disable()
            self._ui.clipLabel.setText("")
            return
        self._clipPlane.enable(node, self._axis)
        lowest, highest = self._clipPlane.offsetRange
        self._ui.clipSlider.blockSignals(True)
        self._ui.clipSlider.setRange(int(lowest), int(highest) + 1)
        self._ui.clipSlider.blockSignals(False)
        self._setClipOffset(round((lowest + highest) / 2))

    def _setClipOffset(self, mm: int) -> None:
        self._ui.clipSlider.blockSignals(True)
        self._ui.clipSlider.setValue(mm)
        self._ui.clipSlider.blockSignals(False)
        self._clipPlane.setOffset(mm)
        self._ui.clipLabel.setText(offsetText(self._axis, mm))
