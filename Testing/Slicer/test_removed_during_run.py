"""A CT or an older result that the user deletes while a run goes on: what happens at once, and what is left behind."""

from __future__ import annotations

import os

import pytest
from harness import start

start.install()

import slicer  # noqa: E402
from harness.start import run_until  # noqa: E402
from KidneyParsingModuleLib.RunListener import RunListener  # noqa: E402

# Some minutes of the fake engine: what ends sooner was ended.
LONG = 3000


def nodes() -> list[str]:
    return sorted(slicer.mrmlScene.GetNthNode(i).GetID() for i in range(slicer.mrmlScene.GetNumberOfNodes()))


def is_idle(panel) -> bool:
    return not panel.widget.logic.isRunning


def process_of(panel):
    return panel.widget.logic._runner._engine._process


@pytest.fixture
def running(panel, engine):
    """The panel in the middle of a long run."""
    engine.steps = LONG
    panel.ui.applyButton.click()
    run_until(lambda: "Predicting" in panel.ui.statusLabel.text())
    return panel


def test_a_deleted_ct_cancels_its_run_at_once_with_a_sentence(running, ct_node, temp):
    before = set(nodes())
    slicer.mrmlScene.RemoveNode(ct_node)
    run_until(lambda: is_idle(running))
    assert running.ui.statusLabel.text() == (
        "CT was removed from the scene, so its run was cancelled. Nothing was added to the scene."
    )
    assert running.ui.statusLabel.text() in running.ui.logTextBox.toPlainText()
    assert set(nodes()) < before and os.listdir(temp) == []
    assert running.ui.applyButton.text() == "Apply" and not running.ui.applyButton.isEnabled()
    assert not running.ui.progressBar.isVisibleTo(running.parent)


def test_a_ct_deleted_while_the_engine_starts(panel, engine, ct_node, temp):
    engine.steps = LONG
    panel.ui.applyButton.click()
    slicer.mrmlScene.RemoveNode(ct_node)
    run_until(lambda: is_idle(panel))
    assert "CT was removed" in panel.ui.statusLabel.text() and os.listdir(temp) == []


def test_no_process_is_left_when_the_panel_closes_then(running, ct_node):
    process = process_of(running)
    slicer.mrmlScene.RemoveNode(ct_node)
    running.widget.cleanup()
    assert process.state() == process.ProcessState.NotRunning


def test_the_next_run_works(running, engine, ct_node):
    from KidneyParsingLib.mrml.scene import volume_node, volume_of

    again = volume_node(slicer.mrmlScene, volume_of(ct_node), "Again")
    slicer.mrmlScene.RemoveNode(ct_node)
    run_until(lambda: is_idle(running))
    # A fresh fake engine, as the old one takes long for every run.
    running.widget.logic.close()
    engine.steps = 5
    running.parameters.inputVolume = again
    running.ui.applyButton.click()
    run_until(lambda: is_idle(running))
    assert running.parameters.outputSegmentation.GetName() == "Again kidneys"
    assert "Done in" in running.ui.statusLabel.text()


def test_another_volume_may_go(running, ct_node):
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Other")
    slicer.mrmlScene.RemoveNode(other)
    slicer.app.processEvents()
    assert running.ui.applyButton.text() == "Cancel" and "removed" not in running.ui.statusLabel.text()


def test_the_ct_may_go_after_the_run(panel, segment, ct_node):
    segment()
    slicer.mrmlScene.RemoveNode(ct_node)
    slicer.app.processEvents()
    assert "Done in" in panel.ui.statusLabel.text()


def test_a_cancel_of_the_user_stays_his(running, ct_node):
    running.ui.applyButton.click()
    slicer.mrmlScene.RemoveNode(ct_node)
    run_until(lambda: is_idle(running))
    assert running.ui.statusLabel.text() == "Cancelled. Nothing was added to the scene."


def test_a_closed_scene_needs_no_other_reason(running):
    running.close_scene()
    run_until(lambda: is_idle(running))
    assert running.ui.statusLabel.text() == "Cancelled. Nothing was added to the scene."


def test_a_script_hears_of_it_too(scene, engine, ct_node, panel):
    """A scene that closes under a script that uses the logic without the panel."""

    class Ending(RunListener):
        text = ""

        def onFailed(self, message: str) -> None:
            self.text = message

    ending, engine.steps = Ending(), LONG
    logic = panel.module.KidneyParsingLogic(ending)
    logic.start(ct_node)
    scene.RemoveNode(ct_node)
    run_until(lambda: ending.text)
    logic.close()
    assert ending.text.startswith("CT was removed from the scene")


def test_a_deleted_older_result_does_not_cost_the_run(panel, segment, engine):
    """The new result is what the user waits for: it comes as a segmentation of its own."""
    old = segment()
    engine.steps = 5
    panel.ui.applyButton.click()
    slicer.mrmlScene.RemoveNode(old)
    assert panel.ui.segmentsTable.rowCount() == 0
    run_until(lambda: is_idle(panel))
    assert panel.parameters.outputSegmentation.GetName() == "CT kidneys" and "Done in" in panel.ui.statusLabel.text()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
