"""Closed surfaces keep thin vessels in thin and thick slices, close around organs and are there when asked for."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from vtk.util import numpy_support

from KidneyParsingLib.anatomy import segment
from KidneyParsingLib.mrml.segmentation import create_segmentation_node
from KidneyParsingLib.mrml.smoothing import smooth_mesh
from KidneyParsingLib.mrml.surfaces import closed_surface, create_surfaces, show_3d
from KidneyParsingLib.volumes.geometry import make_affine
from KidneyParsingLib.volumes.volume import LabelMap

SURFACE = "Closed surface"
DIRECTIONS = {
    "to the side": (1, 0, 0),
    "along the body": (0, 0, 1),
    "diagonal in the slice": (1, 1, 0),
    "through slices": (1, 0, 1),
    "oblique": (1, 0.7, 0.5),
    "steep": (0.3, 0.2, 1),
}


def enclosed_ml(surface):
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputData(surface)
    mass = vtk.vtkMassProperties()
    mass.SetInputConnection(triangles.GetOutputPort())
    return mass.GetVolume() / 1000


def signed_ml(surface):
    """Volume by the divergence theorem: negative if the triangles face inwards."""
    points = numpy_support.vtk_to_numpy(surface.GetPoints().GetData()).astype(float)
    corners = points[numpy_support.vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)]
    return np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6000


def a_straight_tube(direction, diameter_mm, slice_mm, shift, half_length_mm=25.0):
    """Label map of a straight ureter through the middle of a grid of 0.8 x 0.8 mm, moved by parts of a voxel."""
    spacing, unit = np.array((0.8, 0.8, slice_mm)), np.array(direction) / np.linalg.norm(direction)
    size = 10 + (2 * np.abs(unit) * half_length_mm / spacing).astype(int) + 4
    affine = make_affine(tuple(spacing), tuple(-(size - 1) / 2 * spacing + shift * spacing), np.eye(3))
    z, y, x = np.indices(size[::-1])
    positions = np.stack([x, y, z], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    along = positions @ unit
    across = np.linalg.norm(positions - along[..., None] * unit, axis=-1)
    ureter = segment("ureter_left")
    inside = (across <= diameter_mm / 2) & (np.abs(along) <= half_length_mm)
    return LabelMap(np.where(inside, ureter.value, 0).astype(np.uint8), affine, (ureter,))


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.2, 0.45, -0.3)])
def test_a_tube_of_three_voxels_keeps_its_volume(environment, direction, shift):
    label_map = a_straight_tube(direction, 2.4, 0.8, shift)
    surface = closed_surface(create_segmentation_node(environment.scene, label_map), "ureter_left")
    assert 0.95 <= enclosed_ml(surface) / label_map.volumes_ml()["ureter_left"] <= 1.05


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.2, 0.45, -0.3)])
def test_a_tube_keeps_its_volume_in_slices_of_5_mm(environment, direction, shift):
    label_map = a_straight_tube(direction, 2.4, 5.0, shift)
    if not label_map.array.any():
        pytest.skip("the tube lies between two slices")
    surface = closed_surface(create_segmentation_node(environment.scene, label_map), "ureter_left")
    assert 0.9 <= enclosed_ml(surface) / label_map.volumes_ml()["ureter_left"] <= 1.05


@pytest.mark.parametrize("diameter_mm", [1.6, 2.4, 3.2, 4.0, 6.0, 8.0])
def test_a_curved_vessel_keeps_its_volume(environment, a_tube, diameter_mm):
    label_map = a_tube(diameter_mm)
    node = create_segmentation_node(environment.scene, label_map)
    assert enclosed_ml(closed_surface(node, "artery")) == pytest.approx(label_map.volumes_ml()["artery"], rel=0.03)


def test_what_slicer_makes_of_a_vessel_after_an_edit_keeps_its_volume(environment):
    label_map = a_straight_tube((1, 0.7, 0.5), 2.4, 0.8, (0.2, 0.45, -0.3))
    node = create_segmentation_node(environment.scene, label_map)
    node.GetSegmentation().RemoveRepresentation(SURFACE)
    node.CreateClosedSurfaceRepresentation()
    surface = vtk.vtkPolyData()
    node.GetClosedSurfaceRepresentation("ureter_left", surface)
    assert 0.95 <= enclosed_ml(surface) / label_map.volumes_ml()["ureter_left"] <= 1.05


def test_thick_parts_are_smooth_and_thin_ones_are_kept():
    z, y, x = np.indices((40, 40, 90))
    ball = (x - 20) ** 2 + (y - 20) ** 2 + (z - 20) ** 2 <= 14**2
    vessel = (np.abs(y - 20) <= 1) & (np.abs(z - 20) <= 1) & (x > 20) & (x < 85)
    points = numpy_support.vtk_to_numpy(smooth_mesh((ball | vessel).astype(np.uint8)).GetPoints().GetData())
    radius = np.linalg.norm(points - 20, axis=1)[points[:, 0] < 20]
    assert radius.std() < 0.15
    across = np.linalg.norm(points[:, 1:] - 20, axis=1)[(points[:, 0] > 50) & (points[:, 0] < 80)]
    assert across.mean() > 1.5


@pytest.mark.parametrize("grid", ["axial", "oblique", "mirrored", "coronal"])
def test_organs_keep_their_volume_and_face_outwards(environment, a_label_map, grid):
    label_map = a_label_map(grid)
    node = create_segmentation_node(environment.scene, label_map)
    for id in ("kidney_right", "kidney_left", "tumor", "tumor_2"):
        surface = closed_surface(node, id)
        assert signed_ml(surface) == pytest.approx(label_map.volumes_ml()[id], rel=0.05)
        normals = numpy_support.vtk_to_numpy(surface.GetPointData().GetNormals())
        points = numpy_support.vtk_to_numpy(surface.GetPoints().GetData())
        assert ((points - points.mean(axis=0)) * normals).sum(axis=1).mean() > 0


def test_surfaces_have_no_holes(environment, a_label_map):
    surface = closed_surface(create_segmentation_node(environment.scene, a_label_map()), "kidney_right")
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(surface)
    edges.FeatureEdgesOff()
    edges.NonManifoldEdgesOff()
    edges.Update()
    assert edges.GetOutput().GetNumberOfCells() == 0


def test_segments_cut_off_by_the_edge_of_the_scan_are_closed(environment, a_label_map):
    label_map = a_label_map("axial")
    label_map.array[:10] = 1
    label_map.array[-3:, -3:, -3:] = 4
    node = create_segmentation_node(environment.scene, label_map)
    for id in ("kidney_right", "vein"):
        assert enclosed_ml(closed_surface(node, id)) == pytest.approx(label_map.volumes_ml()[id], rel=0.03)


def test_slicer_keeps_the_conversion_after_edits(environment, a_label_map):
    segmentation = create_segmentation_node(environment.scene, a_label_map()).GetSegmentation()
    # The names as Slicer's scene files hold them since 5.4.
    assert segmentation.GetConversionParameter("Conversion method") == "1"
    assert float(segmentation.GetConversionParameter("Smoothing factor")) <= 0.2
    assert segmentation.GetConversionParameter("Joint smoothing") == "0"
    assert segmentation.GetConversionParameter("SurfaceNets smoothing") == "0"


def test_an_edited_segment_can_be_smoothed_again(environment, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map("axial"))
    smooth = closed_surface(node, "kidney_right").GetPoints().GetBounds()
    drawn = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation("kidney_right", drawn)
    assert slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(drawn, node, "kidney_right")
    heard = []
    node.AddObserver(slicer.vtkSegmentation.RepresentationModified, lambda *_: heard.append(1))
    held = node.GetSegmentation().GetSegment("kidney_right").GetRepresentation(SURFACE)
    create_surfaces(node, ["kidney_right"])
    assert heard == [1]
    assert node.GetSegmentation().GetSegment("kidney_right").GetRepresentation(SURFACE) is held
    assert closed_surface(node, "kidney_right").GetPoints().GetBounds() == pytest.approx(smooth, abs=1e-3)


def test_makes_surfaces_that_are_missing(environment, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map())
    node.GetSegmentation().RemoveRepresentation(SURFACE)
    assert closed_surface(node, "tumor").GetNumberOfPoints() > 0


def test_an_emptied_segment_has_an_empty_surface(environment, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map())
    node.GetSegmentation().AddEmptySegment("Segment_1", "mine")
    create_surfaces(node)
    assert closed_surface(node, "Segment_1").GetNumberOfPoints() == 0
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
