"""The surfaces of a segmentation node as a surgeon faces them: from anterior, superior up."""

from __future__ import annotations

import math

import slicer
import vtk

from .surfaces import closed_surface

# Slicer's default smoothing, for shells only: the terraces of thick slices would hide what lies inside.
SHELL_PASS_BAND = 0.01
SHELL_ITERATIONS = 40
SHELL_OPACITY = 0.5
VIEW_ANGLE = 20.0
MARGIN = 1.12


def add_surfaces(renderer: vtk.vtkRenderer, node: slicer.vtkMRMLSegmentationNode) -> None:
    """Add the node's closed surfaces to `renderer` with their colours and opacities, nearer ones not hiding inner."""
    for segment_id in node.GetSegmentation().GetSegmentIDs():
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
    surface = closed_surface(node, segment_id)
    opacity = node.GetDisplayNode().GetSegmentOpacity3D(segment_id)
    mapper = vtk.vtkPolyDataMapper()
    mapper.SetInputData(_smoothed(surface) if opacity < SHELL_OPACITY else surface)
    mapper.ScalarVisibilityOff()
    actor = vtk.vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(node.GetSegmentation().GetSegment(segment_id).GetColor())
    actor.GetProperty().SetOpacity(opacity)
    actor.GetProperty().SetSpecular(0.25)
    actor.GetProperty().SetSpecularPower(30.0)
    return actor


def _smoothed(surface: vtk.vtkPolyData) -> vtk.vtkPolyData:
    smoother = vtk.vtkWindowedSincPolyDataFilter()
    smoother.SetInputData(surface)
    smoother.SetNumberOfIterations(SHELL_ITERATIONS)
    smoother.SetPassBand(SHELL_PASS_BAND)
    smoother.BoundarySmoothingOff()
    smoother.FeatureEdgeSmoothingOff()
    smoother.NonManifoldSmoothingOn()
    smoother.NormalizeCoordinatesOn()
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(smoother.GetOutputPort())
    normals.SplittingOff()
    normals.Update()
    return normals.GetOutput()
