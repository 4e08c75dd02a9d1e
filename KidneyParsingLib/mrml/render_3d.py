"""The surfaces of a segmentation node as a surgeon faces them: from anterior, superior up."""

from __future__ import annotations

import math

import slicer
import vtk

from .surfaces import closed_surface

VIEW_ANGLE = 20.0
MARGIN = 1.12


def add_surfaces(renderer: vtk.vtkRenderer, node: slicer.vtkMRMLSegmentationNode) -> None:
    """Add the node's visible surfaces to `renderer` with their colours and opacities, nearer ones not hiding inner."""
    display = node.GetDisplayNode()
    for segment_id in node.GetSegmentation().GetSegmentIDs():
        if not (display.GetSegmentVisibility(segment_id) and display.GetSegmentVisibility3D(segment_id)):
            continue
        renderer.AddActor(_actor(node, segment_id))
    renderer.SetUseDepthPeeling(True)
    renderer.SetMaximumNumberOfPeels(12)
    renderer.SetOcclusionRatio(0.0)
    renderer.UseFXAAOn()
    vtk.vtkLightKit().AddLightsToRenderer(renderer)


def look_from_anterior(renderer: vtk.vtkRenderer, aspect: float) -> None:
    """Fill the view (`aspect` = width / height) with what `renderer` shows; the patient's right is on the left."""
    left, right, posterior, anterior, inferior, superior = renderer.ComputeVisiblePropBounds()
    center = [(left + right) / 2, (posterior + anterior) / 2, (inferior + superior) / 2]
    half_height = MARGIN * max(superior - inferior, (right - left) / aspect) / 2
    distance = half_height / math.tan(math.radians(VIEW_ANGLE / 2)) + (anterior - posterior) / 2
    camera = renderer.GetActiveCamera()
    camera.SetViewAngle(VIEW_ANGLE)
    camera.SetFocalPoint(center)
    camera.SetPosition(center[0], center[1] + distance, center[2])
    camera.SetViewUp(0.0, 0.0, 1.0)
    renderer.ResetCameraClippingRange()


def _actor(node: slicer.vtkMRMLSegmentationNode, segment_id: str) -> vtk.vtkActor:
    mapper = vtk.vtkPolyDataMapper()
    mapper.SetInputData(closed_surface(node, segment_id))
    mapper.ScalarVisibilityOff()
    actor = vtk.vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(node.GetSegmentation().GetSegment(segment_id).GetColor())
    actor.GetProperty().SetOpacity(node.GetDisplayNode().GetSegmentOpacity3D(segment_id))
    actor.GetProperty().SetSpecular(0.25)
    actor.GetProperty().SetSpecularPower(30.0)
    return actor
