"""The tutorial (docs/tutorial.md) from sample data to the STL of a tumor with its artery, by the real engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import start

start.install()

import slicer  # noqa: E402
import vtk  # noqa: E402
from harness.panel import OpenPanel  # noqa: E402
from harness.qt_module import FileDialog, QtWidgets  # noqa: E402
from harness.sample import load_sample  # noqa: E402
from harness.start import run_until  # noqa: E402
from KidneyParsingModuleLib.TestScenes import importMadeResult  # noqa: E402
from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402

from KidneyParsingLib.mrml.exporting import exportSegmentation  # noqa: E402

RUN_SECONDS = 300.0


@pytest.fixture
def tutorial(python_slicer, monkeypatch):
    """The panel in an empty scene, before the real engine."""
    pytest.importorskip("torch", reason="torch is not installed")
    from KidneyParsingModuleLib import Dependencies, SampleData

    monkeypatch.setattr(SampleData, "loadSampleCTA", load_sample)
    monkeypatch.setattr(Dependencies, "missingPackages", lambda path: [])
    panel = OpenPanel()
    yield panel
    panel.close()


def triangles(path: Path) -> np.ndarray:
    """The corners (n, 3, 3) in a binary STL file, read by the format's definition."""
    data = path.read_bytes()
    count = int.from_bytes(data[80:84], "little")
    assert len(data) == 84 + 50 * count
    records = np.frombuffer(data[84:], np.dtype([("floats", "<f4", (4, 3)), ("attribute", "<u2")]))
    return records["floats"][:, 1:].astype(float)


def volume_and_center(corners: np.ndarray) -> tuple[float, np.ndarray]:
    """Enclosed volume (mm3) and its centroid, by the divergence theorem; about a corner, for exactness."""
    origin = corners[0, 0]
    a, b, c = np.moveaxis(corners - origin, 1, 0)
    volumes = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
    return volumes.sum(), origin + (volumes[:, None] * (a + b + c) / 4).sum(axis=0) / volumes.sum()


def voxels_ras(node, segment_id: str) -> tuple[np.ndarray, float]:
    """The centers of a segment's voxels (RAS, mm) and the volume of one (mm3), from the scene."""
    image, to_world = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
    assert node.GetBinaryLabelmapRepresentation(segment_id, image)
    image.GetImageToWorldMatrix(to_world)
    matrix = np.array([[to_world.GetElement(row, column) for column in range(4)] for row in range(4)])
    extent = image.GetExtent()
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape([extent[i + 1] - extent[i] + 1 for i in (4, 2, 0)])
    index = np.argwhere(array)[:, ::-1] + extent[::2]
    return index @ matrix[:3, :3].T + matrix[:3, 3], abs(np.linalg.det(matrix[:3, :3]))


def check_surface(path: Path, node) -> None:
    """The file's surface has the place (LPS) and size (mm) of the segment's voxels."""
    points, voxel = voxels_ras(node, path.stem)
    volume, center = volume_and_center(triangles(path))
    assert volume == pytest.approx(len(points) * voxel, rel=0.05), path.name
    # Half a slice: of a ureter in pieces, the 5 % above may be at one end.
    np.testing.assert_allclose(center, points.mean(axis=0) * (-1, -1, 1), atol=1.5, err_msg=path.name)


def test_from_sample_data_to_printed_tumor_with_artery(tutorial, tmp_path, dialogs):
    ui = tutorial.ui
    ui.sampleDataButton.click()
    assert tutorial.parameters.inputVolume.GetName() == "Kidney CTA" and ui.scanLabel.text().startswith("256 x 204")
    ui.applyButton.click()
    run_until(lambda: not tutorial.widget.logic.isRunning, RUN_SECONDS)
    node = tutorial.parameters.outputSegmentation
    assert "Done in" in ui.statusLabel.text(), ui.statusLabel.text()
    ui.viewsWidget.findChildren(QtWidgets.QPushButton)[2].click()
    display = node.GetDisplayNode()
    assert node.GetSegmentation().ContainsRepresentation("Closed surface") and display.GetVisibility3D()
    assert display.GetSegmentOpacity3D("tumor") == 1.0 > display.GetSegmentOpacity3D("kidney_right")
    ui.nextPlaceButton.click()
    assert ui.placeLabel.text().startswith("1 of ")
    tutorial.choose(ui.exportComboBox, "stl")
    FileDialog.answers = [str(tmp_path)]
    ui.exportButton.click()
    assert dialogs.said == [] and ui.exportLabel.text() == f"Written: {tmp_path}"
    files = sorted(tmp_path.glob("*.stl"))
    assert {path.stem for path in files} == set(node.GetSegmentation().GetSegmentIDs()) >= {"tumor", "artery"}
    for path in files:
        check_surface(path, node)


@pytest.mark.parametrize("factors", [(-1, -1, 1), (0.1, 0.1, 0.1), (1.1, 1, 1)], ids=["RAS", "cm", "stretched"])
def test_the_check_sees_a_file_in_other_coordinates_or_units(ct_node, tmp_path, factors):
    node = importMadeResult(slicer.mrmlScene, ct_node.GetID())
    (path,) = exportSegmentation(node, ct_node, tmp_path, "stl")
    check_surface(path, node)
    data = bytearray(path.read_bytes())
    records = np.frombuffer(data, np.dtype([("floats", "<f4", (4, 3)), ("attribute", "<u2")]), offset=84)
    records["floats"][:, 1:] *= factors
    path.write_bytes(data)
    with pytest.raises(AssertionError):
        check_surface(path, node)
