"""What the panel shows when there is little to show: no result, few segments, no 3D view; how systems are called."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness import start

start.install()

import slicer  # noqa: E402
from harness.qt_module import QtWidgets  # noqa: E402
from harness.start import run_until  # noqa: E402
from KidneyParsingModuleLib import Texts  # noqa: E402
from KidneyParsingModuleLib.SegmentTable import MOST_ROWS  # noqa: E402
from KidneyParsingModuleLib.TestScenes import importMadeResult  # noqa: E402

from KidneyParsingLib.inference.registry import list_models  # noqa: E402
from KidneyParsingLib.mrml.review_views import VIEWS  # noqa: E402


def test_without_a_result_no_empty_table_and_a_sentence_in_every_section(panel):
    ui = panel.ui
    assert ui.segmentsTable.isHidden()
    assert ui.placeLabel.text() == "Apply first, or choose a segmentation."
    assert ui.correctLabel.text() == "There is nothing to correct yet."
    assert ui.exportLabel.text() == "There is nothing to export yet."


def test_a_result_takes_the_sentences_away_and_a_removed_one_brings_them_back(panel, segment):
    node = segment()
    assert not panel.ui.segmentsTable.isHidden()
    assert panel.ui.correctLabel.text() == panel.ui.exportLabel.text() == ""
    slicer.mrmlScene.RemoveNode(node)
    assert panel.ui.segmentsTable.isHidden() and panel.ui.exportLabel.text() == "There is nothing to export yet."


def test_what_was_written_stays_told_while_the_result_is_there(panel, segment, tmp_path):
    from harness.qt_module import FileDialog

    segment()
    FileDialog.answers = [str(tmp_path / "a.seg.nrrd")]
    panel.ui.exportButton.click()
    panel.widget._update()
    assert panel.ui.exportLabel.text().startswith("Written: ")


def test_the_table_is_as_high_as_its_rows_up_to_a_limit(panel, ct_node):
    node, table = importMadeResult(slicer.mrmlScene, ct_node.GetID()), panel.ui.segmentsTable
    panel.parameters.outputSegmentation = node
    heights = [table.height()]
    for number in (3, 3 * MOST_ROWS):
        for _ in range(number):
            node.GetSegmentation().AddEmptySegment()
        panel.widget._review.refresh()
        heights.append(table.maximumHeight())
    row, rest = table.rowHeight(0), table.horizontalHeader().sizeHint().height() + 4
    assert heights[1] == 4 * row + rest and heights[2] == MOST_ROWS * row + rest


def test_systems_are_called_as_in_their_papers(panel):
    combo = panel.ui.modelComboBox
    names = {combo.itemData(index): combo.itemText(index) for index in range(combo.count())}
    assert names["ba_net"] == "BA-Net" and names["kid_net"] == "Kid-Net" and names["tu_net"] == "TuNet"
    assert set(names) == {model.name for model in list_models()} and len(set(names.values())) == len(names)
    assert "_" not in "".join(names.values())


def test_a_description_without_a_name_leaves_the_systems_own():
    model = SimpleNamespace(name="mine", description="Trained on our own scans of the last ten years")
    assert Texts.modelName(model) == "mine"


def test_every_view_says_what_it_shows():
    assert all(Texts.viewTip(view.name).endswith(".") for view in VIEWS)


@pytest.mark.parametrize(("shown", "told"), [((), False), ((True,), False), ((False, True), False), ((False,), True)])
def test_a_layout_without_3d_view_is_told_and_left_alone(panel, segment, shown, told):
    for mapped in shown:
        view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLViewNode")
        view.SetMappedInLayout(mapped)
    segment()
    assert ("This layout has no 3D view" in panel.ui.statusLabel.text()) is told
    views = slicer.util.getNodesByClass("vtkMRMLViewNode")
    assert tuple(bool(view.IsMappedInLayout()) for view in views) == shown


def test_everything_to_press_has_a_tooltip_in_the_open_panel(panel, segment):
    """Also what is made at run time; a widget without one shows that of the widget around it."""
    segment()
    kinds = (QtWidgets.QPushButton, QtWidgets.QCheckBox, QtWidgets.QComboBox, QtWidgets.QAbstractSlider)
    pressed = [widget for kind in kinds for widget in panel.parent.findChildren(kind)]
    pressed = [widget for widget in pressed if not isinstance(widget, QtWidgets.QScrollBar)]
    silent = [
        widget.objectName() or widget for widget in pressed if not (widget.toolTip() or widget.parent().toolTip())
    ]
    assert len(pressed) > 25 and silent == []


def test_one_press_from_an_open_ct_to_surfaces_in_the_middle_of_the_3d_view(panel):
    """The other clicks of the five: the module's name in its list (two), Ok for the packages, a view."""
    centered = []
    view = SimpleNamespace(resetFocalPoint=lambda: centered.append(1))
    slicer.app.manager = SimpleNamespace(
        threeDViewCount=1, threeDWidget=lambda index: SimpleNamespace(threeDView=lambda: view)
    )
    panel.ui.applyButton.click()
    run_until(lambda: not panel.widget.logic.isRunning)
    node = panel.parameters.outputSegmentation
    display = node.GetDisplayNode()
    assert node.GetSegmentation().ContainsRepresentation("Closed surface") and centered == [1]
    assert display.GetVisibility() and display.GetVisibility3D()
    assert display.GetPreferredDisplayRepresentationName3D() == "Closed surface"
    assert 0 < display.GetSegmentOpacity3D("kidney_right") < 1


def test_a_run_and_its_review_change_no_view_and_no_setting_of_the_user(panel, segment, ct_node):
    """Views, layout, the user's own Segment Editor, the CT and its display, and settings of other modules."""
    from harness.qt_module import QtCore

    scene = slicer.mrmlScene
    mine = [scene.AddNewNodeByClass(name) for name in ("vtkMRMLViewNode", "vtkMRMLSliceNode", "vtkMRMLLayoutNode")]
    mine += [scene.AddNewNodeByClass(name) for name in ("vtkMRMLSliceCompositeNode", "vtkMRMLSegmentEditorNode")]
    ct_node.CreateDefaultDisplayNodes()
    mine += [ct_node, ct_node.GetDisplayNode()]
    QtCore.QSettings().setValue("Segmentations/DefaultSmoothing", "0.7")
    before = [node.GetMTime() for node in mine]
    segment()
    for button in panel.ui.viewsWidget.findChildren(QtWidgets.QPushButton):
        button.click()
    panel.ui.clipCheckBox.setChecked(True)
    panel.ui.clipCheckBox.setChecked(False)
    panel.ui.acceptButton.click()
    assert [node.GetMTime() for node in mine] == before
    settings = QtCore.QSettings()
    assert settings.value("Segmentations/DefaultSmoothing") == "0.7"
    assert {key.split("/")[0] for key in settings.allKeys()} <= {"KidneyParsing", "Segmentations"}


def test_next_place_moves_slices_and_nothing_else_of_the_view(panel, segment):
    segment()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode")
    before = (node.GetFieldOfView(), node.GetOrientation(), node.GetSliceVisible(), node.GetDimensions())
    panel.ui.nextPlaceButton.click()
    assert (node.GetFieldOfView(), node.GetOrientation(), node.GetSliceVisible(), node.GetDimensions()) == before


def test_labels_without_text_take_no_room(panel, segment):
    assert panel.ui.statusLabel.isHidden() and not panel.ui.exportLabel.isHidden()
    segment()
    assert not panel.ui.statusLabel.isHidden() and panel.ui.exportLabel.isHidden()


def test_the_processor_is_listed_with_the_memory_that_is_free(panel):
    combo = panel.ui.deviceComboBox
    text = combo.itemText(combo.findData("cpu"))
    expected = (
        r"Processor \(CPU\), \d+\.\d of \d+\.\d GB free" if Path("/proc/meminfo").exists() else r"Processor \(CPU\).*"
    )
    assert re.fullmatch(expected, text)


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux tells it in /proc/meminfo")
def test_free_memory_is_a_part_of_the_whole():
    from KidneyParsingModuleLib.HardwareNotes import freeMemoryGB, totalMemoryGB

    assert 0 < freeMemoryGB() < totalMemoryGB()


def test_memory_that_is_unknown_is_not_told():
    assert Texts.processorText(None, 16.0) == Texts.processorText(3.0, None) == "Processor (CPU)"
    assert Texts.processorText(12.34, 16.0) == "Processor (CPU), 12.3 of 16.0 GB free"
