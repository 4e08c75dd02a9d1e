"""Slice views go to a place, and the tour goes round."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from KidneyParsingLib.mrml.jumping import PlaceTour, jumpTo
from KidneyParsingLib.mrml.scene import volume_node

PLACES = [
    {"structure": "artery", "reason": "Two parts end here.", "center_ras": (float(n), 2.0 * n, -3.0 * n), "ml": 0.1}
    for n in range(1, 4)
]


@pytest.fixture
def slice_nodes(environment):
    # Without presets "Coronal" and "Sagittal" are unknown, and slices stay axial.
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(environment.scene, True)
    nodes = []
    for name, orientation in (("Red", "Axial"), ("Green", "Coronal"), ("Yellow", "Sagittal")):
        node = environment.scene.AddNewNodeByClass("vtkMRMLSliceNode", name)
        node.SetOrientation(orientation)
        node.SetDimensions(400, 300, 1)
        node.SetFieldOfView(200.0, 150.0, 1.0)
        nodes.append(node)
    return nodes


def middle_of(node):
    """RAS of the view's middle pixel."""
    width, height, _ = node.GetDimensions()
    return node.GetXYToRAS().MultiplyPoint([width / 2, height / 2, 0.0, 1.0])[:3]


def test_every_slice_view_is_centered_on_the_place(environment, slice_nodes):
    slice_nodes[0].SetXYZOrigin(15.0, -4.0, 0.0)
    fields = [node.GetFieldOfView() for node in slice_nodes]
    jumpTo(environment.scene, (12.0, -34.0, 56.0))
    assert [node.GetOrientation() for node in slice_nodes] == ["Axial", "Coronal", "Sagittal"]
    for node in slice_nodes:
        np.testing.assert_allclose(middle_of(node), (12.0, -34.0, 56.0), atol=1e-6)
    assert [node.GetFieldOfView() for node in slice_nodes] == fields


def test_a_place_follows_the_transform_of_its_ct(environment, slice_nodes, a_volume):
    reference = volume_node(environment.scene, a_volume("axial"))
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy([0, -1, 0, 30, 1, 0, 0, -20, 0, 0, 1, 7, 0, 0, 0, 1])
    transform = environment.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    jumpTo(environment.scene, (1.0, 2.0, 3.0), reference)
    np.testing.assert_allclose(middle_of(slice_nodes[0]), (1.0, 2.0, 3.0), atol=1e-6)
    reference.SetAndObserveTransformNodeID(transform.GetID())
    jumpTo(environment.scene, (1.0, 2.0, 3.0), reference)
    np.testing.assert_allclose(middle_of(slice_nodes[1]), (28.0, -19.0, 10.0), atol=1e-6)


def test_nothing_breaks_without_slice_views(environment):
    jumpTo(environment.scene, (1.0, 2.0, 3.0))


def test_the_tour_goes_on_from_the_first_and_round():
    tour = PlaceTour(PLACES)
    assert (tour.count, tour.index, tour.current) == (3, None, None)
    assert [tour.next()["center_ras"][0] for _ in range(4)] == [1.0, 2.0, 3.0, 1.0]
    assert tour.index == 0 and tour.current is PLACES[0]


def test_the_tour_goes_back_from_the_last_and_round():
    tour = PlaceTour(PLACES)
    assert [tour.previous()["center_ras"][0] for _ in range(4)] == [3.0, 2.0, 1.0, 3.0]
    assert tour.next() is PLACES[0]


def test_a_tour_of_one_place_stays_there():
    tour = PlaceTour(PLACES[:1])
    assert tour.next() is tour.next() is tour.previous() is PLACES[0]


def test_a_tour_without_places_goes_nowhere():
    tour = PlaceTour([])
    assert (tour.next(), tour.previous(), tour.current, tour.index, tour.count) == (None, None, None, None, 0)
