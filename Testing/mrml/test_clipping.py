"""The clip plane keeps the right half, moves, and leaves the scene and display as they were."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from KidneyParsingLib.mrml.clipping import ClipPlane
from KidneyParsingLib.mrml.segmentation import create_segmentation_node
from KidneyParsingLib.mrml.surfaces import closed_surface

# Axis, its index in RAS, and whether the half of larger coordinates is kept.
AXES = [("sagittal", 0, True), ("coronal", 1, False), ("axial", 2, True)]


@pytest.fixture
def a_node(environment, a_label_map):
    return create_segmentation_node(environment.scene, a_label_map("axial"))


def kept(node, id="kidney_right"):
    """Bounds of what the node's clip function leaves of a surface, cut as Slicer's 3D view does."""
    clipper = vtk.vtkClipPolyData()
    clipper.SetInputData(closed_surface(node, id))
    clipper.SetClipFunction(node.GetDisplayNode().GetClipNode().GetImplicitFunctionWorld())
    clipper.Update()
    return np.array(clipper.GetOutput().GetBounds()).reshape(3, 2)


def number_of_nodes(scene):
    return scene.GetNumberOfNodes()


@pytest.mark.parametrize(("axis", "index", "upper"), AXES)
def test_keeps_the_half_behind_the_plane(environment, a_node, axis, index, upper):
    plane = ClipPlane(environment.scene)
    plane.enable(a_node, axis)
    whole = np.array(closed_surface(a_node, "kidney_right").GetBounds()).reshape(3, 2)
    middle = whole[index].mean()
    plane.setOffset(middle)
    half = kept(a_node)
    expected = [middle, whole[index, 1]] if upper else [whole[index, 0], middle]
    np.testing.assert_allclose(half[index], expected, atol=1e-3)
    others = [other for other in range(3) if other != index]
    np.testing.assert_allclose(half[others], whole[others], atol=1.0)


def test_starts_in_the_middle_of_the_result_and_knows_its_range(environment, a_node):
    plane = ClipPlane(environment.scene)
    assert plane.offsetRange == (0.0, 0.0)
    plane.enable(a_node, "sagittal")
    low, high = plane.offsetRange
    assert (low, high) == pytest.approx((-26.0, 27.0), abs=1.0)
    assert plane.enabled and a_node.GetDisplayNode().GetClipping()
    assert a_node.GetDisplayNode().GetClippingCapSurface()
    function = a_node.GetDisplayNode().GetClipNode().GetImplicitFunctionWorld()
    assert function.EvaluateFunction(((low + high) / 2, 0.0, 0.0)) == pytest.approx(0.0, abs=1e-6)


def test_views_hear_of_a_moved_plane(environment, a_node):
    plane = ClipPlane(environment.scene)
    plane.enable(a_node, "axial")
    heard = []
    a_node.GetDisplayNode().AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: heard.append(1))
    plane.setOffset(3.0)
    assert heard
    function = a_node.GetDisplayNode().GetClipNode().GetImplicitFunctionWorld()
    assert function.EvaluateFunction((0.0, 0.0, 4.0)) > 0 > function.EvaluateFunction((0.0, 0.0, 2.0))


def test_another_axis_uses_the_same_nodes(environment, a_node):
    plane = ClipPlane(environment.scene)
    plane.enable(a_node, "axial")
    count = number_of_nodes(environment.scene)
    plane.enable(a_node, "coronal")
    assert number_of_nodes(environment.scene) == count
    plane.setOffset(-4.0)
    assert kept(a_node)[1, 1] == pytest.approx(-4.0, abs=1e-3)


def test_leaves_nothing_behind(environment, a_node):
    before = number_of_nodes(environment.scene)
    plane = ClipPlane(environment.scene)
    plane.enable(a_node, "axial")
    plane.disable()
    plane.disable()
    display = a_node.GetDisplayNode()
    assert number_of_nodes(environment.scene) == before
    assert not plane.enabled and not display.GetClipping() and display.GetClipNode() is None
    assert not display.GetClippingCapSurface()
    plane.setOffset(3.0)


def test_gives_back_a_clip_node_that_was_there(environment, a_node):
    mine = environment.scene.AddNewNodeByClass("vtkMRMLClipNode", "mine")
    a_node.GetDisplayNode().SetAndObserveClipNodeID(mine.GetID())
    a_node.GetDisplayNode().SetClipping(True)
    plane = ClipPlane(environment.scene)
    plane.enable(a_node, "axial")
    assert a_node.GetDisplayNode().GetClipNode() is not mine
    plane.disable()
    assert a_node.GetDisplayNode().GetClipNode() is mine and a_node.GetDisplayNode().GetClipping()


def test_another_segmentation_frees_the_first(environment, a_node, a_label_map):
    other = create_segmentation_node(environment.scene, a_label_map("oblique"))
    plane = ClipPlane(environment.scene)
    plane.enable(a_node, "axial")
    plane.enable(other, "axial")
    assert a_node.GetDisplayNode().GetClipNode() is None and not a_node.GetDisplayNode().GetClipping()
    assert other.GetDisplayNode().GetClipping()


def test_a_closed_scene_or_removed_result_is_no_error(environment, a_node):
    plane = ClipPlane(environment.scene)
    plane.enable(a_node, "axial")
    environment.scene.RemoveNode(a_node)
    plane.setOffset(2.0)
    plane.disable()
    assert not environment.scene.GetFirstNodeByClass("vtkMRMLClipNode")
    assert not environment.scene.GetFirstNodeByClass("vtkMRMLMarkupsPlaneNode")


def test_survives_scene_close(environment, a_node):
    plane = ClipPlane(environment.scene)
    plane.enable(a_node, "axial")
    environment.scene.Clear(0)
    assert not plane.enabled
    plane.setOffset(2.0)
    plane.disable()


def test_takes_over_its_own_plane_of_a_saved_scene(environment, a_node):
    ClipPlane(environment.scene).enable(a_node, "axial")
    later = ClipPlane(environment.scene)
    later.enable(a_node, "coronal")
    later.disable()
    assert not a_node.GetDisplayNode().GetClipping()
    assert not environment.scene.GetFirstNodeByClass("vtkMRMLClipNode")


def test_unknown_axes_are_an_error_and_change_nothing(environment, a_node):
    with pytest.raises(KeyError, match="diagonal"):
        ClipPlane(environment.scene).enable(a_node, "diagonal")
    assert not a_node.GetDisplayNode().GetClipping()


@pytest.fixture
def selection(environment):
    """Slicer's selection node, and the module Markups, which has each new markup drawn by the next click."""
    logic = slicer.vtkSlicerMarkupsLogic()
    logic.SetMRMLApplicationLogic(environment.application_logic)
    logic.SetMRMLScene(environment.scene)
    yield environment.scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    logic.SetMRMLScene(None)


def test_the_next_click_in_a_view_draws_what_it_would_have_drawn(environment, a_node, selection):
    points = environment.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "mine")
    assert selection.GetActivePlaceNodeID() == points.GetID()
    plane = ClipPlane(environment.scene)
    plane.enable(a_node, "axial")
    assert selection.GetActivePlaceNodeID() == points.GetID()
    plane.disable()
    assert selection.GetActivePlaceNodeID() == points.GetID()
    assert selection.GetActivePlaceNodeClassName() == "vtkMRMLMarkupsFiducialNode"


def test_leaves_nothing_behind_that_came_with_saving_the_scene(environment, a_node, selection):
    before = number_of_nodes(environment.scene)
    plane = ClipPlane(environment.scene)
    plane.enable(a_node, "axial")
    environment.scene.GetFirstNodeByClass("vtkMRMLMarkupsPlaneNode").AddDefaultStorageNode()
    assert number_of_nodes(environment.scene) == before + 4
    plane.disable()
    assert number_of_nodes(environment.scene) == before


def test_its_plane_is_hidden_from_lists_and_trees_from_the_start(environment, a_node):
    scene = environment.scene
    hidden = []

    def heard(*_):
        plane = scene.GetFirstNodeByClass("vtkMRMLMarkupsPlaneNode")
        hidden.append(plane is None or plane.GetHideFromEditors())

    scene.AddObserver(scene.NodeAddedEvent, heard)
    ClipPlane(scene).enable(a_node, "axial")
    assert hidden and all(hidden)
