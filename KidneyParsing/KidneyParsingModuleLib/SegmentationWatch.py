"""Hears when a segmentation changes, whoever changes it."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

QUIET_MSEC = 200


class SegmentationWatch(VTKObservationMixin):
    """Calls `onChanged` once after each burst of changes to segments, their display or their voxels."""

    def __init__(self, onChanged: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(QUIET_MSEC)
        self._timer.timeout.connect(onChanged)

    def watch(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Watch this segmentation and no other; None to stop."""
        self.removeObservers()
        self._timer.stop()
        if node is None:
            return
        events = slicer.vtkSegmentation
        for event in (
            events.SegmentAdded,
            events.SegmentRemoved,
            events.SegmentModified,
            events.SourceRepresentationModified,
        ):
            self.addObserver(node.GetSegmentation(), event, self._onEvent)
        if node.GetDisplayNode():
            self.addObserver(node.GetDisplayNode(), vtk.vtkCommand.ModifiedEvent, self._onEvent)

    def _onEvent(self, caller: vtk.vtkObject, event: str) -> None:
        self._timer.start()
