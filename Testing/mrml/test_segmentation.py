"""Segmentation nodes hold exactly the label map: ids, codes, colours, voxels and place in the patient."""

from __future__ import annotations

import math

import numpy as np
import pytest
import slicer
import vtk
from vtk.util import numpy_support

from KidneyParsingLib.mrml.scene import ijk_to_ras_matrix, volume_node, volume_of
from KidneyParsingLib.mrml.segmentation import create_segmentation_node
from KidneyParsingLib.mrml.surfaces import closed_surface
from KidneyParsingLib.volumes.geometry import lps_to_ras
from KidneyParsingLib.volumes.volume import LabelMap

GRIDS = ["axial", "oblique", "mirrored", "coronal"]


def voxels_of(node, segment_id, reference=None):
    """Boolean array (z, y, x) of one segment on the node's reference geometry, and the export's label map node."""
    scene = node.GetScene()
    exported = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    ids = vtk.vtkStringArray()
    ids.InsertNextValue(segment_id)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    extent = slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY
    assert logic.ExportSegmentsToLabelmapNode(node, ids, exported, reference, extent)
    image = exported.GetImageData()
    flat = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return flat.reshape(image.GetDimensions()[::-1]) > 0, exported


def tag_of(segment):
    value = vtk.reference("")
    assert segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), value)
    return str(value)


def ras(center):
    return lps_to_ras(np.eye(4))[:3, :3] @ center


def test_only_segments_with_voxels_in_the_order_of_the_label_map(environment, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map())
    assert list(node.GetSegmentation().GetSegmentIDs()) == ["kidney_right", "kidney_left", "tumor", "vein", "tumor_2"]


def test_every_segment_has_its_name_color_value_and_opacity(environment, a_label_map):
    label_map = a_label_map()
    node = create_segmentation_node(environment.scene, label_map)
    display = node.GetDisplayNode()
    for expected in label_map.segments:
        segment = node.GetSegmentation().GetSegment(expected.id)
        if segment is None:
            continue
        assert segment.GetName() == expected.name
        assert segment.GetLabelValue() == expected.value
        np.testing.assert_allclose(np.array(segment.GetColor()) * 255, expected.structure.color, atol=1e-6)
        assert display.GetSegmentOpacity3D(expected.id) == expected.structure.opacity
        assert display.GetSegmentOpacity2DFill(expected.id) == pytest.approx(0.3)
        assert display.GetSegmentVisibility2DOutline(expected.id)


def test_codes_are_those_of_the_anatomy_table(environment, a_label_map):
    node = create_segmentation_node(environment.scene, a_label_map())
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    for id, type_code, side_code in (("kidney_left", "64033007", "7771000"), ("tumor_2", "108369006", None)):
        assert logic.DeserializeTerminologyEntry(tag_of(node.GetSegmentation().GetSegment(id)), entry)
        assert entry.GetTypeObject().GetCodeValue() == type_code
        assert entry.GetTypeModifierObject().GetCodeValue() == side_code


@pytest.mark.parametrize("grid", GRIDS)
def test_voxels_read_back_are_those_of_the_label_map(environment, a_label_map, a_volume, grid):
    label_map = a_label_map(grid)
    reference = volume_node(environment.scene, a_volume(grid))
    node = create_segmentation_node(environment.scene, label_map, reference)
    for id in node.GetSegmentation().GetSegmentIDs():
        expected = next(s for s in label_map.segments if s.id == id)
        np.testing.assert_array_equal(voxels_of(node, id, reference)[0], label_map.mask(expected))


@pytest.mark.parametrize("grid", GRIDS)
def test_without_a_volume_the_grid_is_that_of_the_label_map(environment, a_label_map, grid):
    label_map = a_label_map(grid)
    node = create_segmentation_node(environment.scene, label_map)
    voxels, exported = voxels_of(node, "kidney_left")
    np.testing.assert_array_equal(voxels, label_map.array == 7)
    matrix = vtk.vtkMatrix4x4()
    exported.GetIJKToRASMatrix(matrix)
    difference = [matrix.GetElement(i, j) - lps_to_ras(label_map.affine)[i, j] for i in range(4) for j in range(4)]
    assert np.abs(difference).max() < 1e-4


@pytest.mark.parametrize("grid", GRIDS)
def test_volume_and_center_of_spheres(environment, a_label_map, spheres, grid):
    node = create_segmentation_node(environment.scene, a_label_map(grid))
    for id in ("kidney_right", "kidney_left"):
        center, radius = spheres[id]
        voxels, exported = voxels_of(node, id)
        ml = voxels.sum() * np.prod(exported.GetSpacing()) / 1000
        assert ml == pytest.approx(4 / 3 * math.pi * radius**3 / 1000, rel=0.03)
        points = numpy_support.vtk_to_numpy(closed_surface(node, id).GetPoints().GetData())
        assert np.linalg.norm((points.min(axis=0) + points.max(axis=0)) / 2 - ras(center)) < 0.8


def test_follows_the_transform_of_the_volume(environment, a_label_map, a_volume, spheres):
    scene = environment.scene
    label_map = a_label_map()
    turn = np.array([[0.0, -1, 0, 30], [1, 0, 0, -20], [0, 0, 1, 7], [0, 0, 0, 1]])
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(turn.ravel())
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    reference = volume_node(scene, a_volume("oblique"))
    reference.SetAndObserveTransformNodeID(transform.GetID())
    node = create_segmentation_node(scene, label_map, reference)
    center = ras(spheres["kidney_right"][0])
    world = np.array(node.GetSegmentCenterRAS("kidney_right"))
    np.testing.assert_allclose(world, (turn @ np.append(center, 1.0))[:3], atol=1.4)
    np.testing.assert_array_equal(voxels_of(node, "tumor", reference)[0], label_map.array == 2)


def test_segments_can_be_edited_one_by_one(environment, a_label_map, a_volume):
    label_map = a_label_map()
    reference = volume_node(environment.scene, a_volume("oblique"))
    node = create_segmentation_node(environment.scene, label_map, reference)
    before = closed_surface(node, "vein").GetNumberOfPoints()
    drawn = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation("tumor", drawn)
    drawn.GetPointData().GetScalars().Fill(0)
    assert slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(drawn, node, "tumor")
    assert not voxels_of(node, "tumor", reference)[0].any()
    assert closed_surface(node, "tumor").GetNumberOfPoints() == 0
    np.testing.assert_array_equal(voxels_of(node, "vein", reference)[0], label_map.array == 4)
    assert closed_surface(node, "vein").GetNumberOfPoints() == before


def test_survives_a_seg_nrrd_file(environment, a_label_map, tmp_path):
    label_map = a_label_map()
    node = create_segmentation_node(environment.scene, label_map)
    storage = environment.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "kidney.seg.nrrd"))
    assert storage.WriteData(node)
    again = environment.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(again)
    assert again.GetSegmentation().GetSegmentIDs() == node.GetSegmentation().GetSegmentIDs()
    for id in node.GetSegmentation().GetSegmentIDs():
        old, new = (n.GetSegmentation().GetSegment(id) for n in (node, again))
        assert (new.GetName(), new.GetLabelValue(), tag_of(new)) == (old.GetName(), old.GetLabelValue(), tag_of(old))
        np.testing.assert_allclose(new.GetColor(), old.GetColor(), atol=1e-3)
        np.testing.assert_array_equal(voxels_of(again, id)[0], voxels_of(node, id)[0])


def test_lies_beside_the_volume_in_the_subject_hierarchy(environment, a_label_map, a_volume):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(environment.scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    reference = volume_node(environment.scene, a_volume("oblique"))
    hierarchy.CreateItem(study, reference)
    node = create_segmentation_node(environment.scene, a_label_map(), reference)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_name_and_attributes(environment, a_label_map):
    attributes = {"KidneyParsing.model": "ba_net"}
    node = create_segmentation_node(environment.scene, a_label_map(), name="Result", attributes=attributes)
    assert node.GetName() == "Result"
    assert node.GetAttribute("KidneyParsing.model") == "ba_net"


def test_an_empty_label_map_makes_a_node_without_segments(environment, a_label_map):
    empty = a_label_map(ids=())
    node = create_segmentation_node(environment.scene, empty)
    assert node.GetSegmentation().GetNumberOfSegments() == 0


def test_values_of_no_segment_do_not_enter_the_node(environment, a_label_map):
    label_map = a_label_map()
    known = tuple(s for s in label_map.segments if s.id != "vein")
    node = create_segmentation_node(environment.scene, LabelMap(label_map.array, label_map.affine, known))
    layer = node.GetSegmentation().GetSegment("tumor").GetRepresentation("Binary labelmap")
    values = np.unique(numpy_support.vtk_to_numpy(layer.GetPointData().GetScalars()))
    assert values.tolist() == [0, 1, 2, 7, 9]


def test_volume_node_lies_where_the_volume_does(environment, a_volume):
    volume = a_volume("oblique")
    node = volume_node(environment.scene, volume)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    expected = ijk_to_ras_matrix(volume.affine)
    assert max(abs(matrix.GetElement(i, j) - expected.GetElement(i, j)) for i in range(4) for j in range(4)) < 1e-9
    flat = numpy_support.vtk_to_numpy(node.GetImageData().GetPointData().GetScalars())
    np.testing.assert_array_equal(flat.reshape(volume.array.shape), volume.array)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_volume_comes_back_from_its_node(environment, a_volume, grid):
    volume = a_volume(grid)
    again = volume_of(volume_node(environment.scene, volume))
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-9)
    np.testing.assert_array_equal(again.array, volume.array)
    assert again.array.dtype == np.int16
