"""Keeps the 3D surfaces of a result as they were made for it while the user edits."""

from __future__ import annotations

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

QUIET_MSEC = 1500


class SurfaceKeeper(VTKObservationMixin):
    """After each stroke Slicer makes the surface of what was edited with its own filter, which leaves terraces on thick
    slices. A moment after the last stroke these surfaces are made again as those of a new result are.

    A segmentation whose surface settings are not ours, as the user has changed them, is left alone.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        VTKObservationMixin.__init__(self)
        self._scene = scene
        self._nodeID = ""
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(QUIET_MSEC)
        self._timer.timeout.connect(self._onQuiet)

    def watch(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Care for this segmentation and no other; None to stop."""
        self.removeObservers()
        self._timer.stop()
        self._nodeID = node.GetID() if node else ""
        if node:
            events = slicer.vtkSegmentation
            for event in (events.RepresentationModified, events.ContainedRepresentationNamesModified):
                self.addObserver(node.GetSegmentation(), event, self._onEvent)
            # One from a file, whose surfaces Slicer has made.
            self._timer.start()

    def _onEvent(self, caller: vtk.vtkObject, event: str) -> None:
        self._timer.start()

    def _onQuiet(self) -> None:
        if qt.QApplication.mouseButtons():
            # In the middle of the next stroke.
            self._timer.start()
            return
        node = self._scene.GetNodeByID(self._nodeID) if self._nodeID else None
        segmentIDs = slicerMadeSurfaces(node) if node else []
        if segmentIDs:
            from KidneyParsingLib.mrml.surfaces import create_surfaces

            create_surfaces(node, segmentIDs)
            self._timer.stop()


def slicerMadeSurfaces(node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    """Ids of segments whose surface Slicer has made with the settings of our results: they have no normals.

    vtkBinaryLabelmapToClosedSurfaceConversionRule computes normals for flying edges only, our results use surface nets.
    """
    from KidneyParsingLib.volumes.segmentation_header import SURFACE_PARAMETERS

    segmentation = node.GetSegmentation()
    ours = all(segmentation.GetConversionParameter(key) == value for key, value in SURFACE_PARAMETERS.items())
    name = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
    if not ours or segmentation.GetSourceRepresentationName() == name:
        return []
    surfaces = {id: segmentation.GetSegment(id).GetRepresentation(name) for id in segmentation.GetSegmentIDs()}
    return [id for id, mesh in surfaces.items() if mesh and mesh.GetNumberOfPoints() and not _hasNormals(mesh)]


def _hasNormals(mesh: vtk.vtkPolyData) -> bool:
    return mesh.GetPointData().GetNormals() is not None
