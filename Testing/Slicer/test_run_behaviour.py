"""Runs of the whole panel with a real child process: what each ending leaves in the scene, in the panel, on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness import start

start.install()

import slicer  # noqa: E402
from harness.qt_module import QtWidgets  # noqa: E402
from harness.start import run_until  # noqa: E402
from KidneyParsingModuleLib.ResultRecord import fingerprint, isEdited, placesOf  # noqa: E402

BUTTON = QtWidgets.QMessageBox


def segmentations() -> int:
    return slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")


def nodes() -> list[str]:
    return sorted(slicer.mrmlScene.GetNthNode(i).GetID() for i in range(slicer.mrmlScene.GetNumberOfNodes()))


def wait_for_progress(panel) -> None:
    run_until(lambda: "Predicting" in panel.ui.statusLabel.text())


def erase(node) -> None:
    """Edit the first segment: one voxel goes."""
    from vtk.util.numpy_support import vtk_to_numpy

    segment = node.GetSegmentation().GetNthSegment(0)
    image = segment.GetRepresentation("Binary labelmap")
    values = vtk_to_numpy(image.GetPointData().GetScalars())
    values[values.nonzero()[0][0]] = 0
    image.Modified()


def test_apply_makes_a_segmentation_and_all_parts_show_it(panel, segment, temp):
    node = segment()
    assert node.GetName() == "CT kidneys" and panel.ui.outputSelector.currentNode() is node
    assert "Done in" in panel.ui.statusLabel.text() and "a note" in panel.ui.statusLabel.text()
    assert panel.ui.segmentsTable.rowCount() == 1 and panel.ui.nextPlaceButton.isEnabled()
    assert panel.ui.exportButton.isEnabled() and panel.ui.acceptButton.isEnabled()
    assert [place["reason"] for place in placesOf(node)] == ["The contour is vague."]
    assert panel.ui.applyButton.text() == "Apply" and os.listdir(temp) == [] and not isEdited(node)


def test_while_running_apply_is_cancel_and_choices_rest(panel, engine):
    engine.steps = 100
    panel.ui.applyButton.click()
    wait_for_progress(panel)
    assert panel.ui.applyButton.text() == "Cancel" and not panel.ui.qualityComboBox.isEnabled()
    assert panel.ui.progressBar.isVisibleTo(panel.parent)


def test_cancel_leaves_scene_and_disk_as_they_were(panel, engine, temp):
    engine.steps = 100
    before = nodes()
    panel.ui.applyButton.click()
    wait_for_progress(panel)
    panel.ui.applyButton.click()
    run_until(lambda: not panel.widget.logic.isRunning)
    assert nodes() == before and os.listdir(temp) == []
    assert "Nothing was added" in panel.ui.statusLabel.text() and panel.ui.applyButton.text() == "Apply"


def test_run_after_a_cancelled_one_works(panel, engine, segment):
    engine.steps = 100
    panel.ui.applyButton.click()
    wait_for_progress(panel)
    panel.ui.applyButton.click()
    run_until(lambda: not panel.widget.logic.isRunning)
    panel.widget.logic.close()
    engine.steps = 5
    assert segment() is not None


def test_second_start_is_refused_while_one_runs(panel, ct_node):
    panel.ui.applyButton.click()
    with pytest.raises(RuntimeError, match="running already"):
        panel.widget.logic.start(ct_node)


def test_no_structure_is_a_sentence(panel, dialogs):
    for box in panel.ui.structuresWidget.findChildren(QtWidgets.QCheckBox):
        box.setChecked(False)
    panel.ui.applyButton.click()
    assert "Check at least one structure." in dialogs.said[0] and not panel.widget.logic.isRunning
    assert panel.ui.applyButton.isEnabled()


def test_missing_engine_is_a_sentence_in_the_panel(panel, engine, segment):
    engine.program = "/nowhere/PythonSlicer"
    assert segment() is None and "could not be started" in panel.ui.statusLabel.text()


def test_missing_packages_are_a_sentence(panel, dialogs, monkeypatch):
    from KidneyParsingModuleLib.Dependencies import DependencyError

    def refuse(path: str) -> None:
        raise DependencyError("They were not installed.")

    monkeypatch.setattr(panel.module, "ensureDependencies", refuse)
    panel.ui.applyButton.click()
    assert "They were not installed." in dialogs.said[0] and not panel.widget.logic.isRunning


def test_volume_deleted_in_the_middle(panel, ct_node, segment, temp):
    panel.ui.applyButton.click()
    slicer.mrmlScene.RemoveNode(ct_node)
    assert panel.ui.applyButton.isEnabled() and panel.ui.applyButton.text() == "Cancel"
    run_until(lambda: not panel.widget.logic.isRunning)
    assert "removed from the scene" in panel.ui.statusLabel.text()
    assert segmentations() == 0 and os.listdir(temp) == [] and not panel.ui.applyButton.isEnabled()


def test_scene_closed_in_the_middle(panel, engine, temp):
    engine.steps = 100
    panel.ui.applyButton.click()
    wait_for_progress(panel)
    panel.close_scene()
    run_until(lambda: not panel.widget.logic.isRunning)
    assert segmentations() == 0 and os.listdir(temp) == [] and panel.ui.segmentsTable.rowCount() == 0
    assert not panel.ui.applyButton.isEnabled()


def test_slicer_quits_in_the_middle(open_panel, ct_node, engine, temp):
    engine.steps = 100
    panel = open_panel()
    panel.ui.applyButton.click()
    wait_for_progress(panel)
    process = panel.widget.logic._runner._engine._process
    panel.widget.cleanup()
    assert process.state() == process.ProcessState.NotRunning and os.listdir(temp) == []


def test_module_reloaded_in_the_middle(open_panel, ct_node, engine, temp):
    engine.steps = 100
    old = open_panel()
    old.ui.applyButton.click()
    wait_for_progress(old)
    old.close()
    engine.steps = 5
    new = open_panel()
    assert new.ui.applyButton.text() == "Apply" and new.parameters.inputVolume is ct_node
    new.ui.applyButton.click()
    run_until(lambda: not new.widget.logic.isRunning)
    assert segmentations() == 1


def test_run_goes_on_in_another_module(panel, ct_node):
    panel.ui.applyButton.click()
    panel.exit()
    run_until(lambda: not panel.widget.logic.isRunning)
    assert segmentations() == 1
    panel.enter()
    assert panel.ui.segmentsTable.rowCount() == 1 and panel.ui.inputSelector.currentNode() is ct_node


def test_result_lies_under_the_transform_and_study_of_its_ct(panel, ct_node, segment):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.CreateItem(study, ct_node)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    ct_node.SetAndObserveTransformNodeID(transform.GetID())
    node = segment()
    assert node.GetTransformNodeID() == transform.GetID()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_untouched_result_is_replaced_without_a_question(segment, dialogs):
    first = segment()
    before = nodes()
    assert segment() is first and nodes() == before and dialogs.said == []


def test_edited_result_is_replaced_after_yes_and_undo_brings_it_back(panel, segment, dialogs):
    node = segment()
    full = fingerprint(node)
    erase(node)
    edited = fingerprint(node)
    assert isEdited(node) and edited != full
    dialogs.answers = [BUTTON.Yes]
    assert segment() is node and fingerprint(node) == full and "was edited" in dialogs.said[0]
    panel.widget._correct.undo()
    assert fingerprint(node) == edited


def test_undo_works_when_another_segmentation_was_chosen_meanwhile(panel, segment, dialogs):
    node = segment()
    erase(node)
    edited = fingerprint(node)
    panel.ui.applyButton.click()
    panel.parameters.outputSegmentation = None
    run_until(lambda: not panel.widget.logic.isRunning)
    assert panel.parameters.outputSegmentation is node and fingerprint(node) != edited
    panel.widget._correct.undo()
    assert fingerprint(node) == edited


def test_edited_result_stays_after_no(panel, segment, dialogs):
    node = segment()
    erase(node)
    edited = fingerprint(node)
    dialogs.answers = [BUTTON.No]
    assert segment() is not node and segmentations() == 2 and fingerprint(node) == edited


def test_cancel_at_the_question_starts_nothing(panel, segment, dialogs):
    node = segment()
    erase(node)
    dialogs.answers = [BUTTON.Cancel]
    assert segment() is node and isEdited(node) and segmentations() == 1


def test_reviewed_result_is_asked_about_too(panel, segment, dialogs):
    segment()
    panel.ui.acceptButton.click()
    dialogs.answers = [BUTTON.Cancel]
    segment()
    assert len(dialogs.said) == 1


def test_edits_made_while_the_next_run_goes_on_stay(panel, segment, engine):
    node = segment()
    panel.ui.applyButton.click()
    erase(node)
    edited = fingerprint(node)
    run_until(lambda: not panel.widget.logic.isRunning)
    assert segmentations() == 2 and fingerprint(node) == edited and panel.parameters.outputSegmentation is not node


def test_result_deleted_while_the_next_run_goes_on(panel, segment):
    node = segment()
    panel.ui.applyButton.click()
    slicer.mrmlScene.RemoveNode(node)
    run_until(lambda: not panel.widget.logic.isRunning)
    assert segmentations() == 1 and panel.parameters.outputSegmentation is not node


def test_result_of_another_ct_stays(panel, ct_node, segment):
    first = segment()
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Other")
    other.CopyContent(ct_node)
    panel.parameters.inputVolume = other
    assert segment() is not first and segmentations() == 2, panel.ui.statusLabel.text()


def test_error_names_the_ct_and_not_a_file_of_ours(panel, segment):
    from KidneyParsingModuleLib.TestScenes import madeVolumeNode

    panel.parameters.inputVolume = madeVolumeNode(slicer.mrmlScene)
    assert segment() is None
    text = panel.ui.statusLabel.text()
    assert text.startswith("Every voxel of CT has the same value") and text in panel.ui.logTextBox.toPlainText()


def test_testing_mode_never_replaces_edits(panel, segment):
    node = segment()
    erase(node)
    slicer.app.testing = True
    assert segment() is not node


def test_views_are_centered_and_missing_ones_do_no_harm(panel, segment):
    centered = []
    view = SimpleNamespace(threeDView=lambda: SimpleNamespace(resetFocalPoint=lambda: centered.append(1)))
    slicer.app.manager = SimpleNamespace(threeDViewCount=2, threeDWidget=lambda index: view)
    segment()
    assert len(centered) == 2


def run_alone(code: str, tmp_path: Path) -> None:
    """Run code in a Python of its own, with the harness in place and a panel that is open as `panel`."""
    here = Path(__file__).parent
    before = (
        "import sys; sys.path[:0] = sys.argv[1:3]; from harness import start; start.install();"
        "from harness import application; application.install(sys.argv[3], sys.argv[3]);"
        "from harness.panel import OpenPanel, load_module; panel = OpenPanel(); import slicer\n"
    )
    subprocess.run([sys.executable, "-c", before + code, str(here), str(here.parents[1]), str(tmp_path)], check=True)


def test_open_panel_has_not_imported_torch(tmp_path):
    run_alone("panel.close(); assert 'torch' not in sys.modules", tmp_path)


def test_reload_takes_up_every_file_again(tmp_path):
    code = """
from KidneyParsingModuleLib import Texts
import KidneyParsingLib.anatomy
old = (Texts, KidneyParsingLib.anatomy)
def reload(name):
    # In Slicer's order: the file runs anew, then the old panel cleans up, then a new one is built.
    load_module()
    panel.widget.cleanup()
slicer.util.reloadScriptedModule = reload
panel.widget.onReload()
again = OpenPanel()
assert sys.modules["KidneyParsingModuleLib.Texts"] is not old[0]
assert sys.modules["KidneyParsingLib.anatomy"] is not old[1]
assert again.ui.applyButton.text() == "Apply"
again.close()
"""
    run_alone(code, tmp_path)
