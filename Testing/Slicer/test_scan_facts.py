"""What the Scan section says of a CT before a run and after it, from its voxels and geometry, never from its name."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from harness import start

start.install()

import slicer  # noqa: E402
import vtk  # noqa: E402
from KidneyParsingModuleLib.ResultImporter import ResultImporter  # noqa: E402
from KidneyParsingModuleLib.ResultRecord import contrastOf, latestResultOf, record, recordContrast  # noqa: E402
from KidneyParsingModuleLib.ScanFacts import scanText  # noqa: E402
from KidneyParsingModuleLib.TestScenes import importMadeResult, madeVolumeNode  # noqa: E402

from KidneyParsingLib.anatomy import SEGMENTS  # noqa: E402
from KidneyParsingLib.engine.messages import ResultReply  # noqa: E402
from KidneyParsingLib.mrml.scene import volume_node  # noqa: E402
from KidneyParsingLib.volumes.overview import Contrast  # noqa: E402
from KidneyParsingLib.volumes.reading import read_ct  # noqa: E402
from KidneyParsingLib.volumes.volume import LabelMap, Volume  # noqa: E402
from KidneyParsingLib.volumes.writing import write_label_map  # noqa: E402

VALUES = {"kidney_right": 1, "artery": 3, "vein": 4, "ureter_right": 5}
# HU of artery, vein, cortex, medulla and urine, from the middle of the ranges of docs/appearance.md.
PHASES = {
    "no contrast medium": (42, 42, 34, 34, 8),
    "arterial": (330, 70, 150, 45, 5),
    "corticomedullary": (230, 160, 210, 70, 5),
    "nephrographic (portal venous)": (145, 130, 180, 160, 10),
    "excretory": (95, 90, 130, 140, 600),
}


def a_body(slices: int = 80, slice_mm: float = 2.0, pixels: int = 150) -> Volume:
    """A cylinder of muscle in air, 24 cm wide in a picture of 30 cm."""
    y, x = np.indices((pixels, pixels)) - pixels / 2
    plane = np.where(np.hypot(x, y) < 0.4 * pixels, 50, -1000).astype(np.int16)
    return Volume(np.repeat(plane[None], slices, axis=0), np.diag([2.0, 2.0, slice_mm, 1.0]))


def scan_node(volume: Volume, name: str = "CT"):
    return volume_node(slicer.mrmlScene, volume, name)


def painted(volume: Volume, artery: int, vein: int, cortex: int, medulla: int, urine: int) -> LabelMap:
    """Boxes of these HU in the body, with noise; a third of the kidney is medulla. Changes the volume."""
    labels = np.zeros(volume.array.shape, np.uint8)
    boxes = {"kidney_right": (50, 62), "artery": (66, 72), "vein": (76, 84), "ureter_right": (90, 94)}
    for (name, (first, last)), hu in zip(boxes.items(), (cortex, artery, vein, urine), strict=True):
        labels[20:60, first:last, 50:100] = VALUES[name]
        volume.array[20:60, first:last, 50:100] = hu
    volume.array[20:60, 54:58, 50:100] = medulla
    volume.array[:] += np.random.default_rng(2).normal(0, 12, labels.shape).astype(np.int16)
    return LabelMap(labels, volume.affine, tuple(item for item in SEGMENTS if item.id in VALUES))


def import_result(node, label_map: LabelMap, tmp_path):
    """What the module does with the engine's answer."""
    path = tmp_path / "result.seg.nrrd"
    write_label_map(label_map, path)
    importer = ResultImporter(slicer.mrmlScene, lambda node: None)
    return importer.importResult(ResultReply("1", str(path)), node.GetID(), "test")


# Before a run


def test_a_good_scan_is_told_without_notes(scene):
    assert scanText(scan_node(a_body())) == (
        "150 x 150 x 80 voxels of 2 x 2 x 2 mm, 16 cm along the body, from below the lungs.\n"
        "Contrast phase: known after the run."
    )


@pytest.mark.parametrize("name", ["6: ABDOMEN ARTERIAL 1.0", "Delayed", "non-contrast"])
def test_the_name_tells_nothing(scene, name):
    assert scanText(scan_node(a_body(), name)) == scanText(scan_node(a_body(), "CT"))


def without_slices(first: int, last: int) -> Volume:
    volume = a_body()
    volume.array[first:last] = -1024
    return volume


def tilted(degrees: float) -> Volume:
    volume, angle = a_body(), np.radians(degrees)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Volume(volume.array, turn @ volume.affine)


def zoomed() -> Volume:
    """The middle of the body, with fat in it."""
    volume = a_body()
    volume.array[:, 60:70] = -100
    return Volume(volume.array[:, 40:110, 40:110], volume.affine)


CASES = {
    "thick slices": (lambda: a_body(40, 5.0), "5.0 mm apart"),
    "a gap": (lambda: without_slices(30, 32), "Import all slices"),
    "a short scan": (lambda: a_body(40), "only 8 cm of the body"),
    "a tiny field of view": (zoomed, "only 14 cm wide"),
    "gantry tilt": (lambda: tilted(18), "tilted by 18 degrees"),
    "not a CT": (lambda: Volume((a_body().array + np.int16(1000)) // np.int16(3), a_body().affine), "not be a CT"),
    "shifted values": (lambda: Volume(a_body().array + np.int16(1024), a_body().affine), "HU + 1024"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_may_go_wrong_is_told(scene, case):
    make, words = CASES[case]
    notes = [line for line in scanText(scan_node(make())).splitlines() if line.startswith("Note: ")]
    assert any(words in note for note in notes) and len(notes) <= 2


def test_an_empty_volume_is_told(scene):
    assert scanText(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")) == "The volume is empty."


def test_a_color_image_is_no_ct(scene):
    node = scan_node(a_body(4))
    image = vtk.vtkImageData()
    image.SetDimensions(5, 5, 5)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node.SetAndObserveImageData(image)
    assert scanText(node) == "This is a color image and no CT; choose another volume."


@pytest.mark.parametrize("shape", [(1, 150, 150), (1, 1, 1), (80, 1, 150)])
def test_images_of_one_slice_are_told_too(scene, shape):
    assert "Note: " in scanText(scan_node(Volume(np.zeros(shape, np.int16), np.eye(4))))


def test_values_that_are_no_numbers_do_no_harm(scene):
    array = a_body().array.astype(np.float32)
    array[:2] = np.nan
    assert "Contrast phase" in scanText(scan_node(Volume(array, a_body().affine)))


def test_a_bending_transform_is_told_and_a_rigid_one_is_not(scene):
    node = scan_node(a_body())
    rigid = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetAndObserveTransformNodeID(rigid.GetID())
    assert "transform" not in scanText(node)
    bending = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    bending.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    node.SetAndObserveTransformNodeID(bending.GetID())
    assert "A transform bends the CT" in scanText(node)


# After a run


@pytest.mark.parametrize("phase", PHASES)
def test_the_phase_is_measured_in_the_result(scene, tmp_path, phase):
    volume = a_body()
    label_map = painted(volume, *PHASES[phase])
    node = scan_node(volume)
    import_result(node, label_map, tmp_path)
    line = scanText(node).splitlines()[1]
    assert line.startswith(f"Contrast phase: {phase}, by the HU in the result (artery ")
    told = dict(part.rsplit(" ", 1) for part in line.split("(")[-1].rstrip(").").split(", "))
    expected = dict(zip(("artery", "vein", "renal cortex", "medulla", "ureter"), PHASES[phase], strict=True))
    assert all(abs(int(told[name]) - hu) <= 20 for name, hu in expected.items())


def test_no_contrast_medium_is_a_warning(scene, tmp_path):
    volume = a_body()
    label_map = painted(volume, *PHASES["no contrast medium"])
    node = scan_node(volume)
    import_result(node, label_map, tmp_path)
    assert "Note: Without contrast medium, vessels and tumors are hardly found." in scanText(node)


def test_a_result_without_vessels_leaves_the_phase_unknown(scene):
    node = madeVolumeNode(scene)
    importMadeResult(scene, node.GetID())
    assert "Contrast phase: unknown, as kidney and artery were not both found." in scanText(node)


def test_the_phase_is_that_of_the_latest_result_of_this_ct(scene):
    one, other = madeVolumeNode(scene), madeVolumeNode(scene)
    results = [importMadeResult(scene, one.GetID()) for _ in range(2)]
    for node, phase in zip(results, ("arterial", "excretory"), strict=True):
        recordContrast(node, Contrast(phase, {"artery": 100}))
    assert "excretory" in scanText(one) and "known after the run" in scanText(other)
    scene.RemoveNode(results[1])
    assert latestResultOf(one) is results[0] and "arterial" in scanText(one)


def test_a_ct_that_was_changed_during_the_run_is_not_measured(scene, tmp_path):
    volume = a_body()
    label_map = painted(volume, *PHASES["arterial"])
    node = scan_node(a_body(60))
    assert contrastOf(import_result(node, label_map, tmp_path)) is None


def test_a_saved_scene_keeps_the_phase(scene, reopened):
    node = importMadeResult(scene, madeVolumeNode(scene).GetID())
    contrast = Contrast("arterial", {"artery": 312, "ureter": -5})
    recordContrast(node, contrast)
    assert contrastOf(reopened()) == contrast


@pytest.mark.parametrize("text", ["", "{", "[]", '{"phase": "arterial"}', '{"phase": "x", "hu": {"a": "b"}}'])
def test_a_record_that_cannot_be_read_is_none(scene, text):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetAttribute("KidneyParsing.Contrast", text)
    assert contrastOf(node) is None


def test_the_panel_shows_it_before_and_after_a_run(panel, segment):
    assert "Contrast phase: known after the run." in panel.ui.scanLabel.text()
    node = segment()
    assert "Contrast phase: unknown" in panel.ui.scanLabel.text()
    slicer.mrmlScene.RemoveNode(node)
    assert "Contrast phase: known after the run." in panel.ui.scanLabel.text()


def test_the_panel_does_not_look_twice_at_the_same_voxels(panel, ct_node, monkeypatch):
    from KidneyParsingModuleLib import ScanPanel

    looked = []
    monkeypatch.setattr(ScanPanel, "scanText", lambda node: looked.append(node) or "text")
    panel.widget._update()
    assert looked == []
    ct_node.GetImageData().Modified()
    panel.widget._update()
    assert looked == [ct_node]


REAL = {"crlm-ct-1006": "nephrographic (portal venous)", "cptac-c3n-00249": "corticomedullary"}


@pytest.mark.parametrize("name", REAL)
def test_real_scans(scene, shared_data, name):
    from KidneyParsingLib.volumes.overview import measure_contrast

    volume = read_ct(shared_data / "ct" / f"{name}.nii.gz")
    reference = sitk.GetArrayFromImage(sitk.ReadImage(str(shared_data / "ct" / f"{name}_ref.nii.gz")))
    node = scan_node(volume)
    assert "HU" not in scanText(node)
    result = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    result.SetReferenceImageGeometryParameterFromVolumeNode(node)
    record(result, "reference", [])
    recordContrast(result, measure_contrast(volume.array, reference))
    assert f"Contrast phase: {REAL[name]}, by the HU" in scanText(node)
