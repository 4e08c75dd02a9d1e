"""After an edit the surfaces look as those of a new result, thin vessels are kept, and the user's settings stay."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from harness import start

start.install()

import slicer  # noqa: E402
import vtk  # noqa: E402
from harness.qt_module import QtCore, QtGui, QtWidgets  # noqa: E402
from harness.start import run_until  # noqa: E402
from KidneyParsingModuleLib.ResultRecord import record  # noqa: E402
from KidneyParsingModuleLib.SurfaceKeeper import slicerMadeSurfaces  # noqa: E402
from vtk.util import numpy_support  # noqa: E402

from KidneyParsingLib.anatomy import segment  # noqa: E402
from KidneyParsingLib.mrml.scene import fill_image  # noqa: E402
from KidneyParsingLib.mrml.segmentation import create_segmentation_node  # noqa: E402
from KidneyParsingLib.volumes.geometry import make_affine  # noqa: E402
from KidneyParsingLib.volumes.volume import LabelMap  # noqa: E402

SURFACE = "Closed surface"
SLICE_MM = 5.0
RADII_MM = np.array([25.0, 28.0, 50.0])
CENTER_MM = np.array([-30.0, 0.0, 0.0])


def a_kidney_and_an_artery() -> LabelMap:
    """An ellipsoid in slices of 5 mm, and beside it a steep tube of 2.4 mm: three voxels."""
    affine = make_affine((0.8, 0.8, SLICE_MM), (-64.0, -40.0, -62.5), np.eye(3))
    z, y, x = np.indices((26, 100, 160))
    positions = np.stack([x, y, z], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    kidney, artery = segment("kidney_right"), segment("artery")
    array = np.zeros(z.shape, np.uint8)
    array[(((positions - CENTER_MM) / RADII_MM) ** 2).sum(axis=-1) <= 1] = kidney.value
    direction = np.array([0.3, 0.2, 1.0]) / np.linalg.norm([0.3, 0.2, 1.0])
    from_start = positions - (15.0, -10.0, -48.0)
    along = from_start @ direction
    across = np.linalg.norm(from_start - along[..., None] * direction, axis=-1)
    array[(across <= 1.2) & (along >= 0) & (along <= 95)] = artery.value
    return LabelMap(array, affine, (kidney, artery))


@pytest.fixture
def edited(panel):
    """A result of thick slices in the panel, and a function that paints a cube beside the kidney as an effect does."""
    node = create_segmentation_node(slicer.mrmlScene, a_kidney_and_an_artery())
    record(node, "test", [])
    panel.parameters.outputSegmentation = node
    return node


def paint(node, segment_id: str, size: int = 10) -> None:
    """What vtkSlicerSegmentEditorLogic does for every stroke: add a few voxels, and convert what was shown."""
    layer = node.GetSegmentation().GetSegment(segment_id).GetRepresentation("Binary labelmap")
    matrix = vtk.vtkMatrix4x4()
    layer.GetImageToWorldMatrix(matrix)
    brush = slicer.vtkOrientedImageData()
    # At the kidney's side, in three slices of its middle.
    fill_image(brush, np.ones((3, size, size), np.uint8), (4, 47, 11))
    brush.SetGeometryFromImageToWorldMatrix(matrix)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(brush, node, segment_id, logic.MODE_MERGE_MAX)


def surface_of(node, segment_id: str) -> vtk.vtkPolyData:
    return node.GetSegmentation().GetSegment(segment_id).GetRepresentation(SURFACE)


def wait_for_surfaces(node) -> None:
    assert slicerMadeSurfaces(node)
    run_until(lambda: not slicerMadeSurfaces(node))


def terraces(node) -> float:
    """Mean angle in degrees between the kidney's faces and the ellipsoid, on the half that is not painted."""
    normals = vtk.vtkPolyDataNormals()
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputData(surface_of(node, "kidney_right"))
    normals.SetInputConnection(triangles.GetOutputPort())
    normals.ComputePointNormalsOff()
    normals.ComputeCellNormalsOn()
    normals.Update()
    mesh = normals.GetOutput()
    points = numpy_support.vtk_to_numpy(mesh.GetPoints().GetData()).astype(float)
    faces = points[numpy_support.vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)]
    center = faces.mean(axis=1) - CENTER_MM * (-1, -1, 1)
    truth = center / RADII_MM**2
    truth /= np.linalg.norm(truth, axis=1)[:, None]
    faced = numpy_support.vtk_to_numpy(mesh.GetCellData().GetNormals())
    angles = np.degrees(np.arccos(np.clip(np.abs((truth * faced).sum(axis=1)), 0, 1)))
    return float(angles[center[:, 0] < -5].mean())


def kept(node, segment_id: str = "artery") -> float:
    """Volume inside the surface over that of the voxels."""
    triangles, mass = vtk.vtkTriangleFilter(), vtk.vtkMassProperties()
    triangles.SetInputData(surface_of(node, segment_id))
    mass.SetInputConnection(triangles.GetOutputPort())
    label_map = a_kidney_and_an_artery()
    return mass.GetVolume() / 1000 / label_map.volumes_ml()[segment_id]


def test_a_painted_kidney_is_smooth_again(edited):
    before = terraces(edited)
    paint(edited, "kidney_right")
    by_slicer = terraces(edited)
    wait_for_surfaces(edited)
    assert by_slicer > 1.5 * before, "Slicer's own surface has no terraces: this test shows nothing"
    assert terraces(edited) == pytest.approx(before, abs=0.5)


def test_what_was_painted_is_in_the_new_surface(edited):
    edge = surface_of(edited, "kidney_right").GetBounds()
    paint(edited, "kidney_right")
    wait_for_surfaces(edited)
    after = surface_of(edited, "kidney_right").GetBounds()
    assert max(abs(new - old) for new, old in zip(after, edge, strict=True)) > 3


def test_a_thin_artery_keeps_its_volume_at_every_moment(edited):
    shares = [kept(edited)]
    paint(edited, "artery", size=1)
    shares.append(kept(edited))
    wait_for_surfaces(edited)
    shares.append(kept(edited))
    assert min(shares) >= 0.9


def test_only_what_was_edited_is_made_anew(edited):
    artery = surface_of(edited, "artery").GetMTime()
    paint(edited, "kidney_right")
    assert slicerMadeSurfaces(edited) == ["kidney_right"]
    wait_for_surfaces(edited)
    assert surface_of(edited, "artery").GetMTime() == artery


def test_undo_and_redo_bring_smooth_surfaces_back(edited):
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(edited.GetSegmentation())
    before = terraces(edited)
    history.SaveState()
    paint(edited, "kidney_right")
    wait_for_surfaces(edited)
    history.RestorePreviousState()
    assert terraces(edited) == pytest.approx(before, abs=0.5)
    assert history.RestoreNextState() and slicerMadeSurfaces(edited) == []


def test_a_file_loaded_by_slicer_gets_smooth_surfaces(edited, panel):
    """As after loading a .seg.nrrd file: no surface until a 3D view asks Slicer for it."""
    before = terraces(edited)
    edited.GetSegmentation().RemoveRepresentation(SURFACE)
    panel.parameters.outputSegmentation = None
    edited.CreateClosedSurfaceRepresentation()
    panel.parameters.outputSegmentation = edited
    wait_for_surfaces(edited)
    assert terraces(edited) == pytest.approx(before, abs=0.5)


def test_hidden_3d_stays_hidden(edited):
    edited.GetSegmentation().RemoveRepresentation(SURFACE)
    paint(edited, "kidney_right")
    assert not edited.GetSegmentation().ContainsRepresentation(SURFACE) and slicerMadeSurfaces(edited) == []


def test_a_smoothing_that_the_user_chose_stays(edited):
    rule = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule
    edited.GetSegmentation().SetConversionParameter(rule.GetSmoothingFactorParameterName(), "0.3")
    paint(edited, "kidney_right")
    assert slicerMadeSurfaces(edited) == []


def test_nothing_is_made_while_a_mouse_button_is_down(edited, panel, monkeypatch):
    keeper = panel.widget._review._surfaces
    down = [QtCore.Qt.LeftButton]
    monkeypatch.setattr(QtWidgets.QApplication, "mouseButtons", lambda: down[0])
    paint(edited, "kidney_right")
    keeper._onQuiet()
    assert slicerMadeSurfaces(edited)
    down[0] = QtCore.Qt.NoButton
    keeper._onQuiet()
    assert slicerMadeSurfaces(edited) == []


def test_an_erased_segment_has_no_surface(edited):
    layer = edited.GetSegmentation().GetSegment("artery").GetRepresentation("Binary labelmap")
    nothing = slicer.vtkOrientedImageData()
    nothing.DeepCopy(layer)
    numpy_support.vtk_to_numpy(nothing.GetPointData().GetScalars())[:] = 0
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetBinaryLabelmapToSegment(nothing, edited, "artery", logic.MODE_REPLACE)
    assert surface_of(edited, "artery").GetNumberOfPoints() == 0 and slicerMadeSurfaces(edited) == []


def test_picture(edited, tmp_path):
    """For people to look at, and docs/display.md: KIDNEYPARSING_PICTURES=docs/pictures pytest THIS_FILE -k picture."""
    states = [picture(edited)]
    paint(edited, "kidney_right", 14)
    states.append(picture(edited))
    wait_for_surfaces(edited)
    states.append(picture(edited))
    width, height = states[0].width(), states[0].height()
    joined = QtGui.QImage(3 * width, height, QtGui.QImage.Format_RGB32)
    painter = QtGui.QPainter(joined)
    for number, image in enumerate(states):
        painter.drawImage(number * width, 0, image)
    painter.end()
    folder = Path(os.environ.get("KIDNEYPARSING_PICTURES", tmp_path))
    folder.mkdir(exist_ok=True)
    assert joined.save(str(folder / "edited_surfaces.png")) and states[0] != states[2] != states[1]


def picture(node) -> QtGui.QImage:
    """The surfaces from anterior."""
    from KidneyParsingLib.mrml.offscreen import offscreen_window, png_bytes
    from KidneyParsingLib.mrml.render_3d import add_surfaces, look_from_anterior

    window, renderer = offscreen_window(480, 450), vtk.vtkRenderer()
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(True)
    renderer.SetBackground(1, 1, 1)
    window.AddRenderer(renderer)
    node.GetDisplayNode().SetSegmentOpacity3D("kidney_right", 1.0)
    add_surfaces(renderer, node)
    look_from_anterior(renderer, 480 / 450)
    return QtGui.QImage.fromData(png_bytes(window))
