"""Views, the list of segments and the reviewer's status work on MRML's own display nodes and survive files."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from KidneyParsingLib.anatomy import STRUCTURES, structure
from KidneyParsingLib.mrml.review_views import (
    VIEWS,
    applyView,
    resultBounds,
    segmentRows,
    segmentVolumesMl,
    setSegmentOpacity,
    setSegmentVisible,
    setStatus,
    statusOf,
)
from KidneyParsingLib.mrml.segmentation import create_segmentation_node


@pytest.fixture
def a_node(environment, a_label_map):
    return create_segmentation_node(environment.scene, a_label_map())


def shown_in_3d(node):
    display = node.GetDisplayNode()
    return {
        id: round(display.GetSegmentOpacity3D(id), 6)
        for id in node.GetSegmentation().GetSegmentIDs()
        if display.GetSegmentVisibility(id) and display.GetSegmentVisibility3D(id)
    }


def test_the_four_views_name_only_structures_that_there_are():
    assert [view.name for view in VIEWS] == ["Surgeon", "Vessels", "Tumor", "Collecting system"]
    names = {entry.name for entry in STRUCTURES}
    for view in VIEWS:
        assert set(view.opacity) <= names
        assert all(0 < value <= 1 for value in view.opacity.values())


def test_what_a_view_is_about_is_opaque_and_the_kidney_around_it_translucent():
    subjects = {"Surgeon": "artery", "Vessels": "artery", "Tumor": "tumor", "Collecting system": "ureter"}
    for view in VIEWS:
        assert view.opacity[subjects[view.name]] == 1.0
        assert view.opacity["kidney"] <= 0.4


def test_a_view_shows_its_structures_on_both_sides_and_every_tumor(a_node):
    applyView(a_node, "Tumor")
    expected = next(view.opacity for view in VIEWS if view.name == "Tumor")
    shown = shown_in_3d(a_node)
    assert shown["tumor"] == shown["tumor_2"] == expected["tumor"]
    assert shown["kidney_left"] == shown["kidney_right"] == pytest.approx(expected["kidney"])


def test_a_view_hides_in_3d_only(a_node):
    applyView(a_node, "Collecting system")
    assert "vein" not in shown_in_3d(a_node)
    display = a_node.GetDisplayNode()
    assert display.GetSegmentVisibility("vein") and display.GetSegmentVisibility2DOutline("vein")


def test_the_next_view_undoes_the_last_one(a_node):
    at_first = shown_in_3d(a_node)
    for name in ("Collecting system", "Vessels", "Surgeon"):
        applyView(a_node, name)
    assert shown_in_3d(a_node) == at_first


def test_segments_of_the_user_stay_as_they_are(a_node):
    a_node.GetSegmentation().AddEmptySegment("Segment_1", "mine")
    a_node.GetDisplayNode().SetSegmentVisibility("Segment_1", False)
    a_node.GetDisplayNode().SetSegmentOpacity3D("Segment_1", 0.7)
    applyView(a_node, "Vessels")
    assert not a_node.GetDisplayNode().GetSegmentVisibility("Segment_1")
    assert a_node.GetDisplayNode().GetSegmentOpacity3D("Segment_1") == 0.7


def test_an_unknown_view_is_an_error(a_node):
    with pytest.raises(KeyError, match="Bladder"):
        applyView(a_node, "Bladder")


def test_a_view_is_one_event(a_node):
    events = []
    a_node.GetDisplayNode().AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: events.append(1))
    applyView(a_node, "Tumor")
    assert len(events) == 1


def test_the_eye_hides_everywhere_and_brings_back_what_a_view_hid(a_node):
    display = a_node.GetDisplayNode()
    setSegmentVisible(a_node, "vein", False)
    assert not display.GetSegmentVisibility("vein")
    applyView(a_node, "Collecting system")
    setSegmentVisible(a_node, "vein", True)
    assert "vein" in shown_in_3d(a_node)


@pytest.mark.parametrize(("given", "kept"), [(0.4, 0.4), (-1, 0.0), (7, 1.0)])
def test_opacity_stays_within_its_range(a_node, given, kept):
    setSegmentOpacity(a_node, "tumor", given)
    assert a_node.GetDisplayNode().GetSegmentOpacity3D("tumor") == pytest.approx(kept)


def test_rows_say_what_the_panel_lists(a_node):
    setSegmentOpacity(a_node, "tumor", 0.5)
    setSegmentVisible(a_node, "vein", False)
    setStatus(a_node, "tumor_2", "needs work")
    rows = {row.id: row for row in segmentRows(a_node, {"tumor": 1.25})}
    assert list(rows) == list(a_node.GetSegmentation().GetSegmentIDs())
    assert (rows["tumor"].name, rows["tumor"].ml, rows["tumor"].status) == ("Tumor", 1.25, "")
    assert rows["tumor"].opacity == pytest.approx(0.5)
    assert rows["vein"].ml is None and not rows["vein"].visible and rows["tumor"].visible
    assert rows["tumor_2"].status == "needs work"
    np.testing.assert_allclose(np.array(rows["vein"].color) * 255, structure("vein").color, atol=1e-6)


def test_volumes_are_those_of_the_voxels_also_after_an_edit(environment, a_label_map):
    label_map = a_label_map("oblique")
    node = create_segmentation_node(environment.scene, label_map)
    expected = {id: ml for id, ml in label_map.volumes_ml().items() if ml}
    assert segmentVolumesMl(node) == pytest.approx(expected, rel=1e-5)
    drawn = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation("tumor", drawn)
    drawn.GetPointData().GetScalars().Fill(0)
    assert slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(drawn, node, "tumor")
    node.GetSegmentation().AddEmptySegment("Segment_1", "mine")
    assert segmentVolumesMl(node) == pytest.approx({**expected, "tumor": 0.0, "Segment_1": 0.0}, rel=1e-5)


def test_surfaces_without_voxels_have_no_volume(environment):
    """As when a segmentation is loaded from STL files."""
    sphere = vtk.vtkSphereSource()
    sphere.Update()
    node = environment.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    surface = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().SetSourceRepresentationName(surface)
    segment = slicer.vtkSegment()
    segment.AddRepresentation(surface, sphere.GetOutput())
    node.GetSegmentation().AddSegment(segment, "tumor")
    assert segmentVolumesMl(node) == {} and segmentRows(node)[0].ml is None


@pytest.mark.parametrize("status", ["", "accepted", "needs work"])
def test_status_is_told_again(a_node, status):
    setStatus(a_node, "tumor", "accepted")
    setStatus(a_node, "tumor", status)
    assert statusOf(a_node, "tumor") == status
    assert statusOf(a_node, "vein") == ""


def test_unknown_status_or_segment_is_an_error(a_node):
    with pytest.raises(KeyError, match="perfect"):
        setStatus(a_node, "tumor", "perfect")
    with pytest.raises(KeyError, match="spleen"):
        setStatus(a_node, "spleen", "accepted")


def test_status_is_the_one_that_segment_editor_shows(a_node):
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    setStatus(a_node, "tumor", "accepted")
    assert logic.GetSegmentStatus(a_node.GetSegmentation().GetSegment("tumor")) == logic.Completed
    logic.SetSegmentStatus(a_node.GetSegmentation().GetSegment("vein"), logic.InProgress)
    assert statusOf(a_node, "vein") == ""


def test_status_survives_a_seg_nrrd_file(environment, a_node, tmp_path):
    setStatus(a_node, "kidney_left", "accepted")
    setStatus(a_node, "tumor_2", "needs work")
    storage = environment.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "reviewed.seg.nrrd"))
    assert storage.WriteData(a_node)
    again = environment.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(again)
    statuses = {id: statusOf(again, id) for id in again.GetSegmentation().GetSegmentIDs()}
    assert {id: status for id, status in statuses.items() if status} == {
        "kidney_left": "accepted",
        "tumor_2": "needs work",
    }


def test_bounds_are_those_of_the_spheres(environment, a_label_map, spheres):
    node = create_segmentation_node(environment.scene, a_label_map("oblique"))
    bounds = resultBounds(node)
    corners = [(-x, -y, z, r) for (x, y, z), r in spheres.values()]
    for axis in range(3):
        assert bounds[2 * axis] == pytest.approx(min(c[axis] - c[3] for c in corners), abs=2.0)
        assert bounds[2 * axis + 1] == pytest.approx(max(c[axis] + c[3] for c in corners), abs=2.0)


def test_an_empty_result_has_no_bounds(environment, a_label_map):
    assert resultBounds(create_segmentation_node(environment.scene, a_label_map(ids=()))) is None


def test_bounds_follow_the_transform(environment, a_node):
    at_first = resultBounds(a_node)
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(2, 3, 100.0)
    transform = environment.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    a_node.SetAndObserveTransformNodeID(transform.GetID())
    assert resultBounds(a_node) == pytest.approx((*at_first[:4], at_first[4] + 100, at_first[5] + 100))
