"""Slicer's own 3D displayable manager shows what the views and the clip plane ask for, with our surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import slicer
import vtk

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.mrml.clipping import ClipPlane
from KidneyParsingLib.mrml.offscreen import offscreen_window
from KidneyParsingLib.mrml.review_views import applyView, setSegmentVisible
from KidneyParsingLib.mrml.segmentation import create_segmentation_node

MANAGER = "vtkMRMLSegmentationsDisplayableManager3D"
SURFACE = "Closed surface"


@dataclass
class View3D:
    """A 3D view without a screen; the objects that it needs live as long as it does."""

    window: vtk.vtkRenderWindow
    renderer: vtk.vtkRenderer
    kept: tuple

    def bounds(self):
        self.window.Render()
        return np.array(self.renderer.ComputeVisiblePropBounds()).reshape(3, 2)

    def opacities(self):
        self.window.Render()
        props = [
            self.renderer.GetViewProps().GetItemAsObject(n)
            for n in range(self.renderer.GetViewProps().GetNumberOfItems())
        ]
        actors = [
            prop for prop in props if prop.IsA("vtkActor") and prop.GetVisibility() and prop.GetMapper().GetInput()
        ]
        return sorted(round(actor.GetProperty().GetOpacity(), 3) for actor in actors)


@pytest.fixture
def a_view(environment):
    try:
        window = offscreen_window(200, 200)
    except InputError as error:
        pytest.skip(str(error))
    scene, logic = environment.scene, environment.application_logic
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    renderer = vtk.vtkRenderer()
    window.AddRenderer(renderer)
    interactor = vtk.vtkRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(logic)
    if not factory.IsDisplayableManagerRegistered(MANAGER):
        factory.RegisterDisplayableManager(MANAGER)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.SetRenderer(renderer)
    group.Initialize(factory, renderer)
    view_logic = slicer.vtkMRMLViewLogic()
    view_logic.SetMRMLApplicationLogic(logic)
    logic.GetViewLogics().AddItem(view_logic)
    view_logic.SetMRMLScene(scene)
    group.SetMRMLDisplayableNode(view_logic.AddViewNode("1"))
    return View3D(window, renderer, (interactor, group, view_logic))


def test_the_view_shows_our_surfaces_and_not_its_own(environment, a_view, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map("axial"))
    ours = node.GetSegmentation().GetSegment("kidney_right").GetRepresentation(SURFACE)
    points = ours.GetNumberOfPoints()
    a_view.bounds()
    assert node.GetSegmentation().GetSegment("kidney_right").GetRepresentation(SURFACE) is ours
    assert ours.GetNumberOfPoints() == points and ours.GetPointData().GetNormals() is not None
    assert a_view.opacities() == sorted([0.35, 0.35, 0.9, 0.9, 1.0])


def test_a_view_hides_and_fades(environment, a_view, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map("axial"))
    applyView(node, "Vessels")
    assert a_view.opacities() == sorted([0.15, 0.15, 0.35, 0.35, 1.0])
    setSegmentVisible(node, "vein", False)
    assert a_view.opacities() == sorted([0.15, 0.15, 0.35, 0.35])


@pytest.mark.parametrize(("axis", "index", "end"), [("sagittal", 0, 0), ("coronal", 1, 1), ("axial", 2, 0)])
def test_the_clip_plane_cuts_what_the_view_shows(environment, a_view, a_label_map, axis, index, end):
    node = create_segmentation_node(environment.scene, a_label_map("axial"))
    whole = a_view.bounds()
    plane = ClipPlane(environment.scene)
    plane.enable(node, axis)
    plane.setOffset(1.0)
    cut = a_view.bounds()
    assert cut[index, end] == pytest.approx(1.0, abs=1e-3)
    assert cut[index, 1 - end] == pytest.approx(whole[index, 1 - end], abs=1e-3)
    plane.disable()
    np.testing.assert_allclose(a_view.bounds(), whole, atol=1e-3)


def test_the_clip_plane_is_in_world_coordinates(environment, a_view, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map("axial"))
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 100.0)
    transform = environment.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(transform.GetID())
    plane = ClipPlane(environment.scene)
    plane.enable(node, "sagittal")
    assert plane.offsetRange == pytest.approx((73.0, 126.0), abs=1.5)
    plane.setOffset(101.0)
    assert a_view.bounds()[0, 0] == pytest.approx(101.0, abs=1e-3)
