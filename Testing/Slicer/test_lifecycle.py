"""What Slicer does to a panel besides clicks: scenes come, voxels and effects come late, the module goes twice."""

from __future__ import annotations

import pytest
from harness import start

start.install()

import slicer  # noqa: E402
import vtk  # noqa: E402
from harness import parameter_node  # noqa: E402
from harness.panel import load_module  # noqa: E402
from harness.qt_module import QtCore  # noqa: E402


def volume(name, kind="vtkMRMLScalarVolumeNode"):
    return slicer.mrmlScene.AddNewNodeByClass(kind, name)


def editor_of(panel):
    return panel.widget._correct._editor


def saved_scene() -> str:
    """The scene as XML, without files."""
    scene = slicer.mrmlScene
    scene.SetURL(scene.GetURL() or "")
    scene.SetSaveToXMLString(1)
    scene.Commit()
    return scene.GetSceneXMLString()


def import_scene(xml: str) -> None:
    slicer.mrmlScene.SetLoadFromXMLString(1)
    slicer.mrmlScene.SetSceneXMLString(xml)
    slicer.mrmlScene.Import()


def test_a_panel_whose_widget_is_gone_says_nothing_when_slicer_quits(scene, engine):
    widget = load_module().KidneyParsingWidget()
    widget.cleanup()
    widget.parent.deleteLater()
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
    slicer.app.moduleManager().unload("KidneyParsing")


def test_after_a_reload_the_hidden_old_editor_has_let_go_of_the_node_that_both_share(panel, segment):
    segment()
    old = editor_of(panel)
    node = old.mrmlSegmentEditorNode()
    panel.widget.cleanup()
    assert node.GetSegmentationNode() is None and old.mrmlSegmentEditorNode() is None


def test_a_loaded_scene_brings_the_choices_that_it_was_saved_with(open_panel):
    volume("first")
    second = volume("second")
    result = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "result")
    panel = open_panel()
    panel.parameters.inputVolume = second
    panel.parameters.outputSegmentation = result
    xml = saved_scene()
    panel.close_scene()
    assert panel.parameters.inputVolume is None
    import_scene(xml)
    assert panel.parameters.inputVolume.GetName() == "second"
    assert panel.ui.inputSelector.currentNode().GetName() == "second"
    assert panel.parameters.outputSegmentation.GetName() == "result"
    assert editor_of(panel).segmentationNodeID() == panel.parameters.outputSegmentation.GetID()


def test_adding_a_scene_keeps_the_result_that_is_chosen(panel, segment, ct_node):
    node = segment()
    import_scene('<MRML version="Slicer 5" userTags=""></MRML>')
    assert panel.parameters.outputSegmentation is node and panel.parameters.inputVolume is ct_node
    assert editor_of(panel).segmentationNodeID() == node.GetID()
    assert panel.ui.segmentsTable.rowCount() == 1


@pytest.mark.parametrize("forgets", [False, True], ids=["5.12", "5.10"])
def test_no_observer_of_the_parameters_outlives_the_open_panel(panel, monkeypatch, forgets):
    monkeypatch.setattr(parameter_node, "FORGETS", forgets)
    parameters = panel.parameters.parameterNode
    panel.exit()
    panel.enter()
    assert parameters.HasObserver(vtk.vtkCommand.ModifiedEvent)
    panel.exit()
    assert not parameters.HasObserver(vtk.vtkCommand.ModifiedEvent)


def test_what_the_editor_chose_by_itself_is_set_right_after_many_changes(panel, segment):
    node = segment()
    slicer.mrmlScene.StartState(slicer.mrmlScene.BatchProcessState)
    editor_of(panel).setSegmentationNode(None)
    slicer.mrmlScene.EndState(slicer.mrmlScene.BatchProcessState)
    assert editor_of(panel).segmentationNodeID() == node.GetID()


def test_voxels_that_come_after_their_volume_are_told_of(open_panel):
    panel = open_panel()
    node = volume("CT")
    assert panel.parameters.inputVolume is node and "voxels of" not in panel.ui.scanLabel.text()
    image = vtk.vtkImageData()
    image.SetDimensions(4, 5, 6)
    image.AllocateScalars(vtk.VTK_SHORT, 1)
    node.SetAndObserveImageData(image)
    assert "4 x 5 x 6 voxels" in panel.ui.scanLabel.text()


def test_a_volume_that_left_is_held_by_nothing(open_panel):
    panel = open_panel()
    node = volume("CT")
    gone = []
    node.AddObserver(vtk.vtkCommand.DeleteEvent, lambda *_: gone.append(1))
    slicer.mrmlScene.RemoveNode(node)
    del node
    panel.exit()
    assert gone


def test_a_label_map_is_not_taken_for_a_ct(open_panel):
    volume("labels", "vtkMRMLLabelMapVolumeNode")
    panel = open_panel()
    assert panel.parameters.inputVolume is None and not panel.ui.applyButton.isEnabled()
    node = volume("CT")
    assert panel.parameters.inputVolume is node


def test_a_segmentation_of_a_script_without_display_can_be_chosen(panel, ct_node):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "script")
    node.GetSegmentation().AddEmptySegment("a", "a")
    assert node.GetDisplayNode() is None
    panel.parameters.outputSegmentation = node
    assert panel.ui.segmentsTable.rowCount() == 1


def test_an_effect_that_comes_late_shows_up_as_long_as_the_panel_lives(panel):
    factory = slicer.qSlicerSegmentEditorEffectFactory.instance()
    editor = editor_of(panel)
    factory.registerEffect()
    assert editor.calls.count("updateEffectList") == 1
    panel.widget.cleanup()
    factory.registerEffect()
    assert editor.calls.count("updateEffectList") == 1


@pytest.mark.parametrize("testing", [False, True])
def test_errors_are_shown_and_raised_again_as_in_slicer(panel, dialogs, testing):
    slicer.app.testing = testing
    with pytest.raises(ValueError, match="why"), slicer.util.tryWithErrorDisplay("It failed."):
        raise ValueError("why")
    assert dialogs.said == ([] if testing else ["It failed.\n\nwhy"])
