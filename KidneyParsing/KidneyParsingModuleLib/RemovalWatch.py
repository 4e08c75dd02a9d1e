"""Hears when a node leaves its scene."""

from __future__ import annotations

from collections.abc import Callable

import slicer
import vtk
from slicer.util import VTKObservationMixin


class RemovalWatch(VTKObservationMixin):
    """Calls `onRemoved` once when the node that is watched is deleted, or goes with its scene."""

    def __init__(self, scene: slicer.vtkMRMLScene, onRemoved: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._scene = scene
        self._onRemoved = onRemoved
        self._nodeID = ""

    def watch(self, nodeID: str) -> None:
        """Watch the node with this ID and no other; an empty one to stop."""
        self.removeObservers()
        self._nodeID = nodeID
        if nodeID:
            self.addObserver(self._scene, self._scene.NodeRemovedEvent, self._onEvent)

    def _onEvent(self, caller: vtk.vtkObject, event: str) -> None:
        if self._nodeID and self._scene.GetNodeByID(self._nodeID) is None:
            self.watch("")
            self._onRemoved()
