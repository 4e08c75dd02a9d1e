"""Every button, table and list of the panel, one part after the other, on real nodes."""

from __future__ import annotations

import sys

import pytest
from harness import start

start.install()

import slicer  # noqa: E402
from harness import slicer_util  # noqa: E402
from harness.qt_module import FileDialog, QtCore, QtWidgets  # noqa: E402
from harness.start import run_until  # noqa: E402
from KidneyParsingModuleLib.TestScenes import importMadeResult, madeVolumeNode  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402

from KidneyParsingLib.anatomy import structure  # noqa: E402
from KidneyParsingLib.mrml.review_views import VIEWS, statusOf  # noqa: E402

CHECKED, UNCHECKED = QtCore.Qt.Checked, QtCore.Qt.Unchecked


@pytest.fixture
def result(panel, ct_node):
    """A result with a left kidney, shown in the panel."""
    node = importMadeResult(slicer.mrmlScene, ct_node.GetID())
    panel.parameters.outputSegmentation = node
    return node


def slices() -> list:
    return [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode") for _ in range(2)]


def center_of(slice_node) -> list[float]:
    return [slice_node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]


# Scan


def test_first_volume_is_chosen_and_told(panel, ct_node):
    assert panel.parameters.inputVolume is ct_node and panel.ui.applyButton.isEnabled()
    assert panel.ui.scanLabel.text().startswith("28 x 24 x 20 voxels of 2 x 2 x 2 mm")


def test_empty_scene_says_what_to_do(open_panel):
    panel = open_panel()
    assert panel.ui.scanLabel.text() == "Open a CT to begin." and not panel.ui.applyButton.isEnabled()
    assert not panel.ui.exportButton.isEnabled() and not panel.ui.clipCheckBox.isEnabled()


def test_volume_chosen_in_the_selector_is_the_parameter(panel, ct_node):
    other = madeVolumeNode(slicer.mrmlScene)
    panel.ui.inputSelector.setCurrentNode(other)
    assert panel.parameters.inputVolume is other and "20 x 20 x 20" in panel.ui.scanLabel.text()


def test_buttons_open_what_they_say(panel, monkeypatch):
    from KidneyParsingModuleLib import SampleData

    sample = madeVolumeNode(slicer.mrmlScene)
    monkeypatch.setattr(SampleData, "loadSampleCTA", lambda: sample)
    panel.ui.openFileButton.click()
    panel.ui.openDicomButton.click()
    panel.ui.sampleDataButton.click()
    assert slicer_util.calls == [("openAddVolumeDialog",), ("selectModule", "DICOM")]
    assert panel.parameters.inputVolume is sample


def test_an_opened_file_is_chosen_and_a_closed_dialog_changes_nothing(panel, ct_node, monkeypatch):
    panel.ui.openFileButton.click()
    assert panel.parameters.inputVolume is ct_node
    monkeypatch.setattr(slicer.util, "openAddVolumeDialog", lambda: madeVolumeNode(slicer.mrmlScene))
    panel.ui.openFileButton.click()
    opened = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")[-1]
    assert opened is not ct_node and panel.parameters.inputVolume is opened
    assert panel.ui.inputSelector.currentNode() is opened and "20 x 20 x 20" in panel.ui.scanLabel.text()


def test_an_opened_label_map_is_not_chosen(panel, ct_node, monkeypatch):
    def open_label_map() -> None:
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")

    monkeypatch.setattr(slicer.util, "openAddVolumeDialog", open_label_map)
    panel.ui.openFileButton.click()
    assert panel.parameters.inputVolume is ct_node


def test_a_scan_loaded_in_the_dicom_module_is_chosen_on_the_way_back(panel, ct_node):
    panel.ui.openDicomButton.click()
    panel.exit()
    loaded = madeVolumeNode(slicer.mrmlScene)
    panel.enter()
    assert panel.parameters.inputVolume is loaded
    panel.ui.inputSelector.setCurrentNode(ct_node)
    panel.exit()
    madeVolumeNode(slicer.mrmlScene)
    panel.enter()
    assert panel.parameters.inputVolume is ct_node


def test_sample_that_cannot_be_loaded_is_a_dialog(panel, monkeypatch, dialogs):
    from KidneyParsingModuleLib import SampleData

    def fail():
        raise RuntimeError("Install the extension again.")

    monkeypatch.setattr(SampleData, "loadSampleCTA", fail)
    panel.ui.sampleDataButton.click()
    assert dialogs.said == ["The sample CT could not be loaded.\n\nInstall the extension again."]


# Parse


def test_choices_are_stored_in_the_scene_and_for_the_next_scene(panel, open_panel):
    panel.choose(panel.ui.qualityComboBox, "best")
    panel.choose(panel.ui.deviceComboBox, "cpu")
    assert (panel.parameters.quality, panel.parameters.device) == ("best", "cpu")
    panel.close_scene()
    assert panel.parameters.quality == "" and panel.ui.qualityComboBox.currentData() == "best"
    assert open_panel().ui.deviceComboBox.currentData() == "cpu"


def test_a_scene_keeps_its_own_choices(panel):
    panel.choose(panel.ui.qualityComboBox, "best")
    panel.parameters.quality = "fast"
    assert panel.ui.qualityComboBox.currentData() == "fast"


def test_another_system_has_its_own_structures(panel):
    assert [box.text() for box in boxes(panel)] == ["Kidney", "Tumor", "Artery", "Vein", "Ureter", "Cyst"]
    panel.choose(panel.ui.modelComboBox, "kid_net")
    assert panel.parameters.modelName == "kid_net"
    assert {"Artery", "Vein"} <= {box.text() for box in boxes(panel)} != {"Kidney"}
    assert "Kid-Net" in panel.ui.modelInfoLabel.text() and "Dice on" in panel.ui.modelInfoLabel.toolTip()


def test_graphics_card_is_named_with_its_free_memory(panel):
    from KidneyParsingModuleLib.HardwareNotes import GraphicsCard

    combo = panel.ui.deviceComboBox
    panel.widget._choices._showGraphics(GraphicsCard("NVIDIA RTX A4000", "551.23", 16.0, 15.0))
    assert combo.itemText(2) == "GPU: NVIDIA RTX A4000, 15.0 of 16.0 GB free"
    panel.widget._choices._showGraphics(None)
    assert sys.platform == "darwin" or "No NVIDIA graphics card" in panel.ui.deviceNoteLabel.text()


def test_unchecked_structures_are_not_looked_for(panel, monkeypatch):
    started = []
    monkeypatch.setattr(panel.widget.logic, "start", lambda *arguments: started.append(arguments))
    for box in boxes(panel):
        box.setChecked(box.text() in ("Kidney", "Tumor"))
    panel.ui.applyButton.click()
    ((_, options, _),) = started
    assert (
        options.structures == ("kidney", "tumor") and options.review and panel.parameters.structures == "kidney,tumor"
    )


def boxes(panel) -> list:
    found = panel.ui.structuresWidget.findChildren(QtWidgets.QCheckBox)
    return [box for box in found if not box.isHidden()]


# Review


def test_table_has_eye_color_opacity_volume_and_status(panel, result):
    table = panel.ui.segmentsTable
    assert [table.item(0, column).text() for column in (0, 2, 3)] == ["Left kidney", "1.00", ""]
    assert table.item(0, 0).checkState() == CHECKED
    assert table.item(0, 0).data(QtCore.Qt.DecorationRole).red() == structure("kidney").color[0]
    assert table.cellWidget(0, 1).value() == round(100 * structure("kidney").opacity)


def test_eye_and_slider_change_the_display(panel, result):
    table, display = panel.ui.segmentsTable, result.GetDisplayNode()
    table.item(0, 0).setCheckState(UNCHECKED)
    assert not display.GetSegmentVisibility("kidney_left")
    table.cellWidget(0, 1).setValue(80)
    assert display.GetSegmentOpacity3D("kidney_left") == pytest.approx(0.8)


def test_slider_survives_what_it_changes(panel, result):
    slider = panel.ui.segmentsTable.cellWidget(0, 1)
    slider.setValue(60)
    run_until(lambda: panel.ui.segmentsTable.cellWidget(0, 1) is slider and slider.value() == 60)


def test_changes_made_elsewhere_are_shown(panel, result):
    result.GetDisplayNode().SetSegmentVisibility("kidney_left", False)
    run_until(lambda: panel.ui.segmentsTable.item(0, 0).checkState() == UNCHECKED)
    result.GetSegmentation().GetSegment("kidney_left").SetName("Renamed")
    run_until(lambda: panel.ui.segmentsTable.item(0, 0).text() == "Renamed")
    result.GetSegmentation().RemoveSegment("kidney_left")
    run_until(lambda: panel.ui.segmentsTable.rowCount() == 0)


def test_every_view_has_a_button(panel, result):
    buttons = panel.ui.viewsWidget.findChildren(QtWidgets.QPushButton)
    assert [button.text() for button in buttons] == [view.name for view in VIEWS]
    buttons[1].click()
    assert result.GetDisplayNode().GetSegmentOpacity3D("kidney_left") == pytest.approx(0.15)


def test_clip_plane_comes_moves_and_goes(panel, result):
    panel.ui.clipCheckBox.setChecked(True)
    plane = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLMarkupsPlaneNode")
    assert panel.ui.clipSlider.isEnabled() and result.GetDisplayNode().GetClipping()
    assert plane.GetOriginWorld()[1] == pytest.approx(panel.ui.clipSlider.value())
    panel.ui.clipSlider.setValue(panel.ui.clipSlider.minimum())
    assert plane.GetOriginWorld()[1] == pytest.approx(panel.ui.clipSlider.minimum())
    assert panel.ui.clipLabel.text() == f"A: {panel.ui.clipSlider.minimum()} mm"
    panel.choose(panel.ui.clipAxisComboBox, "axial")
    assert panel.ui.clipLabel.text() == f"S: {round(plane.GetOriginWorld()[2])} mm"
    assert abs(plane.GetNormalWorld()[2]) == pytest.approx(1.0)
    panel.ui.clipCheckBox.setChecked(False)
    left = [slicer.mrmlScene.GetFirstNodeByClass(name) for name in ("vtkMRMLMarkupsPlaneNode", "vtkMRMLClipNode")]
    assert left == [None, None] and not panel.ui.clipSlider.isEnabled()
    assert not panel.ui.clipAxisComboBox.isEnabled() and panel.ui.clipLabel.text() == ""


def test_closing_the_panel_takes_the_clip_plane_away(panel, result):
    panel.ui.clipCheckBox.setChecked(True)
    panel.widget.cleanup()
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLMarkupsPlaneNode") is None


def test_next_place_moves_all_slices_and_says_why(panel, result):
    nodes = slices()
    panel.ui.nextPlaceButton.click()
    assert [center_of(node) for node in nodes] == [pytest.approx([-12.0, -14.0, 14.0])] * 2
    assert panel.ui.placeLabel.text() == "1 of 1, kidney, 0.25 ml: The contour is vague."


def test_places_follow_the_transform_of_the_ct(panel, result, ct_node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 100.0)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    ct_node.SetAndObserveTransformNodeID(transform.GetID())
    (node, _) = slices()
    panel.ui.previousPlaceButton.click()
    assert center_of(node)[0] == pytest.approx(88.0)


def test_foreign_segmentation_can_be_reviewed_too(panel):
    foreign = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")
    foreign.CreateDefaultDisplayNodes()
    foreign.GetSegmentation().AddEmptySegment("mine", "Mine")
    panel.parameters.outputSegmentation = foreign
    assert panel.ui.segmentsTable.item(0, 0).text() == "Mine" and not panel.ui.nextPlaceButton.isEnabled()


# Correct


def test_editor_edits_the_result_over_its_ct_with_a_few_effects(panel, result, ct_node):
    editor = panel.ui.editorWidget.findChild(slicer.qMRMLSegmentEditorWidget)
    assert (editor.segmentationNodeID(), editor.sourceVolumeNodeID()) == (result.GetID(), ct_node.GetID())
    assert editor.effectNameOrder() == ["Paint", "Draw", "Erase", "Scissors", "Islands", "Smoothing"]
    assert editor.property("unorderedEffectsVisible") is False and "auto show False" in editor.calls
    assert editor.mrmlSegmentEditorNode().GetSingletonTag() == "KidneyParsing"


def test_accept_and_needs_work_are_marks_that_can_be_taken_back(panel, result):
    def shown() -> str:
        return panel.ui.segmentsTable.item(0, 3).text()

    panel.ui.acceptButton.click()
    assert statusOf(result, "kidney_left") == "accepted" and shown() == "Accepted"
    panel.ui.needsWorkButton.click()
    assert statusOf(result, "kidney_left") == "needs work" and shown() == "Needs work"
    panel.ui.needsWorkButton.click()
    assert statusOf(result, "kidney_left") == "" and shown() == ""


def test_clicked_row_is_the_segment_to_mark(panel, result):
    result.GetSegmentation().AddEmptySegment("vein", "Vein")
    run_until(lambda: panel.ui.segmentsTable.rowCount() == 2)
    panel.ui.segmentsTable.setCurrentCell(1, 0)
    assert panel.ui.markLabel.text() == "Vein" and editor_of(panel).currentSegmentID() == "vein"
    panel.ui.acceptButton.click()
    assert (statusOf(result, "kidney_left"), statusOf(result, "vein")) == ("", "accepted")


def test_row_and_marks_follow_the_segment_chosen_in_the_editor(panel, result):
    assert chosen_rows(panel) == [0] and panel.ui.markLabel.text() == "Left kidney"
    result.GetSegmentation().AddEmptySegment("vein", "Vein")
    run_until(lambda: panel.ui.segmentsTable.rowCount() == 2)
    assert chosen_rows(panel) == [0]
    editor_of(panel).setCurrentSegmentID("vein")
    assert chosen_rows(panel) == [1] and panel.ui.markLabel.text() == "Vein"
    result.GetSegmentation().GetSegment("vein").SetName("Renal vein")
    run_until(lambda: panel.ui.markLabel.text() == "Renal vein")
    panel.ui.needsWorkButton.click()
    assert (statusOf(result, "kidney_left"), statusOf(result, "vein")) == ("", "needs work")


def test_without_a_chosen_segment_nothing_can_be_marked(panel, result):
    editor_of(panel).setCurrentSegmentID("")
    assert "Choose a structure" in panel.ui.markLabel.text() and chosen_rows(panel) == []
    assert not panel.ui.acceptButton.isEnabled() and not panel.ui.needsWorkButton.isEnabled()
    table = panel.ui.segmentsTable
    panel.parent.show()
    QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, pos=table.visualItemRect(table.item(0, 2)).center())
    assert chosen_rows(panel) == [0] and panel.ui.acceptButton.isEnabled()
    slicer.mrmlScene.RemoveNode(result)
    assert panel.ui.markLabel.text() == ""


def editor_of(panel):
    return panel.ui.editorWidget.findChild(slicer.qMRMLSegmentEditorWidget)


def chosen_rows(panel) -> list[int]:
    return [index.row() for index in panel.ui.segmentsTable.selectionModel().selectedRows()]


def test_other_module_finds_the_views_free(panel, result):
    editor = panel.ui.editorWidget.findChild(slicer.qMRMLSegmentEditorWidget)
    editor.calls.clear()
    panel.exit()
    assert editor.calls == ["setActiveEffect", "removeViewObservations"]


def test_editor_lets_go_of_a_closed_scene(panel, result):
    editor = panel.ui.editorWidget.findChild(slicer.qMRMLSegmentEditorWidget)
    panel.close_scene()
    assert editor.segmentationNodeID() == "" and editor.mrmlSegmentEditorNode().GetScene() is slicer.mrmlScene


# Export


@pytest.mark.parametrize("kind", ["seg.nrrd", "nii.gz", "stl", "obj", "glb", "mrb"])
def test_export_writes_files(panel, result, tmp_path, kind, dialogs):
    folder = tmp_path / "out"
    folder.mkdir()
    FileDialog.answers = [str(folder if kind in ("stl", "obj", "glb") else folder / "kidney")]
    panel.choose(panel.ui.exportComboBox, kind)
    panel.ui.exportButton.click()
    assert dialogs.said == [] and any(path.stat().st_size > 0 for path in folder.iterdir())
    assert panel.ui.exportLabel.text().startswith("Written: ")


def test_export_remembers_its_folder(panel, result, tmp_path):
    FileDialog.answers = [str(tmp_path / "one.seg.nrrd")]
    panel.ui.exportButton.click()
    panel.ui.exportButton.click()
    assert FileDialog.asked[1][1] == str(tmp_path / "CT kidneys.seg.nrrd")


def test_export_proposes_a_name_that_every_system_allows(panel, result, tmp_path):
    """A CT from DICOM is called after its series."""
    FileDialog.answers = [str(tmp_path / "one.seg.nrrd")]
    panel.ui.exportButton.click()
    panel.parameters.outputSegmentation.SetName("5: CTA ABD/PELVIS kidneys")
    panel.ui.exportButton.click()
    assert FileDialog.asked[1][1] == str(tmp_path / "5 CTA ABDPELVIS kidneys.seg.nrrd")


def test_export_asks_before_it_replaces_surfaces(panel, result, tmp_path, dialogs):
    FileDialog.answers = [str(tmp_path)] * 3
    panel.choose(panel.ui.exportComboBox, "stl")
    panel.ui.exportButton.click()
    (path,) = tmp_path.glob("*.stl")
    path.write_text("mine")
    dialogs.answers = [False, True]
    panel.ui.exportButton.click()
    assert path.read_text() == "mine" and "Nothing was written" in panel.ui.exportLabel.text()
    panel.ui.exportButton.click()
    assert path.stat().st_size > 4 and len(dialogs.said) == 2


def test_export_asks_about_a_name_that_it_completes(panel, result, tmp_path, dialogs):
    path = tmp_path / "old.seg.nrrd"
    path.write_text("mine")
    FileDialog.answers, dialogs.answers = [str(tmp_path / "old")], [False]
    panel.ui.exportButton.click()
    assert path.read_text() == "mine" and "Replace it?" in dialogs.said[0]


def test_export_cancelled_writes_nothing(panel, result):
    panel.ui.exportButton.click()
    assert panel.ui.exportLabel.text() == ""


def test_export_that_fails_is_a_sentence(panel, result, tmp_path, dialogs):
    FileDialog.answers = [str(tmp_path / "seg.dcm")]
    panel.choose(panel.ui.exportComboBox, "dcm")
    panel.ui.exportButton.click()
    assert "load the CT from Slicer's DICOM database" in dialogs.said[0] and not list(tmp_path.glob("*.dcm"))


# Scene


def test_deleted_result_empties_the_panel(panel, result):
    slicer.mrmlScene.RemoveNode(result)
    assert panel.ui.segmentsTable.rowCount() == 0 and not panel.ui.exportButton.isEnabled()
    panel.ui.clipCheckBox.setChecked(True)
    panel.ui.nextPlaceButton.click()
    panel.ui.acceptButton.click()


def test_closed_scene_empties_the_panel(panel, result):
    panel.close_scene()
    assert panel.ui.segmentsTable.rowCount() == 0 and panel.ui.scanLabel.text() == "Open a CT to begin."


def test_scene_closed_in_another_module(panel, result):
    panel.exit()
    panel.close_scene()
    panel.enter()
    assert panel.ui.segmentsTable.rowCount() == 0 and panel.parameters.inputVolume is None


def test_registers_its_sample_data_after_the_start(panel):
    assert [signal for signal, _ in slicer.app.connections] == ["startupCompleted()"]
