"""Closed surfaces keep thin vessels, close around organs and are there when asked for."""

from __future__ import annotations

import pytest
import vtk

from KidneyParsingLib.mrml.segmentation import create_segmentation_node
from KidneyParsingLib.mrml.surfaces import SMOOTHING_FACTOR, closed_surface, show_3d

SURFACE = "Closed surface"


def enclosed_ml(surface):
    mass = vtk.vtkMassProperties()
    mass.SetInputData(surface)
    return mass.GetVolume() / 1000


@pytest.mark.parametrize(("diameter_mm", "kept"), [(2.4, 0.85), (3.2, 0.92), (4.0, 0.95), (6.0, 0.97)])
def test_a_curved_vessel_keeps_its_volume(environment, a_tube, diameter_mm, kept):
    label_map = a_tube(diameter_mm)
    node = create_segmentation_node(environment.scene, label_map)
    assert kept <= enclosed_ml(closed_surface(node, "artery")) / label_map.volumes_ml()["artery"] <= 1.05


@pytest.mark.parametrize("grid", ["axial", "oblique", "mirrored", "coronal"])
def test_organs_keep_their_volume(environment, a_label_map, grid):
    label_map = a_label_map(grid)
    node = create_segmentation_node(environment.scene, label_map)
    for id in ("kidney_right", "kidney_left", "tumor"):
        assert enclosed_ml(closed_surface(node, id)) == pytest.approx(label_map.volumes_ml()[id], rel=0.06)


def test_surfaces_have_no_holes_and_smooth_shading(environment, a_label_map):
    surface = closed_surface(create_segmentation_node(environment.scene, a_label_map()), "kidney_right")
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(surface)
    edges.FeatureEdgesOff()
    edges.Update()
    assert edges.GetOutput().GetNumberOfCells() == 0
    assert surface.GetPointData().GetNormals() is not None


def test_a_segment_cut_off_by_the_edge_of_the_scan_is_closed(environment, a_label_map):
    label_map = a_label_map("axial")
    label_map.array[:10] = 1
    node = create_segmentation_node(environment.scene, label_map)
    assert enclosed_ml(closed_surface(node, "kidney_right")) == pytest.approx(
        label_map.volumes_ml()["kidney_right"], rel=0.03
    )


def test_slicer_keeps_the_smoothing_after_edits(environment, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map())
    assert float(node.GetSegmentation().GetConversionParameter("Smoothing factor")) == SMOOTHING_FACTOR


def test_makes_surfaces_that_are_missing(environment, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map())
    node.GetSegmentation().RemoveRepresentation(SURFACE)
    assert closed_surface(node, "tumor").GetNumberOfPoints() > 0


def test_unknown_segments_are_an_error(environment, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map())
    with pytest.raises(KeyError, match="spleen"):
        closed_surface(node, "spleen")


def test_shows_and_hides(environment, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map())
    assert node.GetDisplayNode().GetVisibility3D()
    show_3d(node, False)
    assert not node.GetDisplayNode().GetVisibility3D()
    node.GetSegmentation().RemoveRepresentation(SURFACE)
    show_3d(node)
    assert node.GetSegmentation().ContainsRepresentation(SURFACE)
    assert node.GetDisplayNode().GetPreferredDisplayRepresentationName3D() == SURFACE
