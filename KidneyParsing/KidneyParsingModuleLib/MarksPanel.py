"""The panel's judgements: accept a structure, or say that it needs work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _


class MarksPanel:
    """Marks the chosen segment of a segmentation; the marks are saved with it.

    `getNode` gives the segmentation, or None; `onChanged` is called after a mark was set or taken back.
    """

    def __init__(
        self, ui: Any, getNode: Callable[[], slicer.vtkMRMLSegmentationNode | None], onChanged: Callable[[], None]
    ) -> None:
        self._ui = ui
        self._getNode = getNode
        self._onChanged = onChanged
        self._segmentID = ""
        ui.acceptButton.clicked.connect(self.onAccept)
        ui.needsWorkButton.clicked.connect(self.onNeedsWork)

    def select(self, segmentID: str) -> None:
        """Choose the segment to mark; empty for none."""
        self._segmentID = segmentID
        self.show()

    def show(self) -> None:
        """Tell which structure the buttons are about."""
        node, segment = self._getNode(), self._segment()
        for button in (self._ui.acceptButton, self._ui.needsWorkButton):
            button.setEnabled(segment is not None)
        hint = _("Choose a structure in the table.") if node else ""
        self._ui.markLabel.setText(segment.GetName() if segment else hint)

    def onAccept(self, checked: bool = False) -> None:
        """Mark the chosen structure as right, or take that back."""
        from KidneyParsingLib.mrml.review_views import ACCEPTED

        self._mark(ACCEPTED)

    def onNeedsWork(self, checked: bool = False) -> None:
        """Mark the chosen structure for more work, or take that back."""
        from KidneyParsingLib.mrml.review_views import NEEDS_WORK

        self._mark(NEEDS_WORK)

    def _segment(self) -> slicer.vtkSegment | None:
        node = self._getNode()
        return node.GetSegmentation().GetSegment(self._segmentID) if node and self._segmentID else None

    def _mark(self, status: str) -> None:
        from KidneyParsingLib.mrml.review_views import setStatus, statusOf

        if self._segment() is None:
            return
        node = self._getNode()
        setStatus(node, self._segmentID, "" if statusOf(node, self._segmentID) == status else status)
        self._onChanged()
