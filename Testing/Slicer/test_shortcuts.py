"""Keys of the panel: they work with the focus in a view, in no other module, and clash with none of Slicer's."""

from __future__ import annotations

import pytest
from harness import start

start.install()

import slicer  # noqa: E402
from harness.qt_module import QtCore, QtGui, QtWidgets  # noqa: E402
from harness.start import run_until  # noqa: E402
from KidneyParsingModuleLib.Shortcuts import KEYS, VIEW_KEYS  # noqa: E402
from KidneyParsingModuleLib.TestScenes import importMadeResult  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402

from KidneyParsingLib.mrml.review_views import VIEWS, statusOf  # noqa: E402

ALT = QtCore.Qt.AltModifier
# Of Slicer 5.12: qSlicerMainWindow (.ui and .cxx), qSlicerAppMainWindow.cxx, qSlicerModuleSelectorToolBar.cxx,
# qMRMLMarkupsToolBar.cxx, qMRMLSegmentEditorWidget.cxx, and the English menus' mnemonics.
SLICER = (
    "Ctrl+O Ctrl+S Ctrl+W Ctrl+Z Ctrl+Y Ctrl+X Ctrl+C Ctrl+V Ctrl+H Ctrl+F Ctrl+0 Ctrl+1 Ctrl+2 Ctrl+3 Ctrl+4 Ctrl+5 "
    "Ctrl+6 Ctrl+` Ctrl+Left Ctrl+Right Alt+Left Alt+Right Backspace Alt+F Alt+E Alt+V Alt+H Escape Space Z Y Q W I"
).split()


@pytest.fixture
def window(panel, ct_node):
    """A main window with the panel, a result in it, and a view beside it that has the focus."""
    node = importMadeResult(slicer.mrmlScene, ct_node.GetID())
    panel.parameters.outputSegmentation = node
    main, view = QtWidgets.QWidget(), QtWidgets.QLineEdit()
    layout = QtWidgets.QHBoxLayout(main)
    layout.addWidget(view)
    layout.addWidget(panel.parent)
    main.show()
    main.activateWindow()
    assert QTest.qWaitForWindowActive(main)
    view.setFocus()
    main.view, main.node = view, node
    yield main
    panel.parent.setParent(None)
    main.close()


def all_keys() -> list[str]:
    return [*KEYS.values(), *(VIEW_KEYS.format(number=number + 1) for number in range(len(VIEWS)))]


def test_no_key_is_taken_twice_or_by_slicer():
    assert len(set(all_keys())) == len(all_keys()) and not set(all_keys()) & set(SLICER)
    back = {
        key.toString()
        for name in ("Back", "Forward")
        for key in QtGui.QKeySequence.keyBindings(getattr(QtGui.QKeySequence, name))
    }
    assert not set(all_keys()) & back


def test_every_key_is_told_in_a_tooltip(panel):
    buttons = [getattr(panel.ui, name) for name in KEYS]
    assert [button.toolTip().rsplit("(", 1)[-1] for button in buttons] == [f"{keys})" for keys in KEYS.values()]
    views = panel.ui.viewsWidget.findChildren(QtWidgets.QPushButton)
    assert [button.toolTip()[-8:] for button in views] == [f" (Alt+{n})" for n in (1, 2, 3, 4)]
    panel.widget._updateApply()
    assert panel.ui.applyButton.toolTip().count("Ctrl+Return") == 1


def test_next_place_works_with_the_focus_in_a_view(panel, window):
    slice_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode")
    QTest.keyClick(window.view, QtCore.Qt.Key_N, ALT)
    assert slice_node.GetSliceToRAS().GetElement(0, 3) == pytest.approx(-12.0)
    assert panel.ui.placeLabel.text().startswith("1 of 1")


def test_no_key_works_while_another_module_is_open(panel, window):
    text = panel.ui.placeLabel.text()
    panel.exit()
    panel.parent.hide()
    for key in (QtCore.Qt.Key_N, QtCore.Qt.Key_A, QtCore.Qt.Key_2):
        QTest.keyClick(window.view, key, ALT)
    assert panel.ui.placeLabel.text() == text and statusOf(window.node, "kidney_left") == ""


def test_marks_work_while_their_section_is_closed(panel, window):
    panel.ui.reviewCollapsibleButton.setProperty("collapsed", True)
    assert not panel.ui.acceptButton.isVisible()
    QTest.keyClick(window.view, QtCore.Qt.Key_A, ALT)
    assert statusOf(window.node, "kidney_left") == "accepted"
    QTest.keyClick(window.view, QtCore.Qt.Key_W, ALT)
    assert statusOf(window.node, "kidney_left") == "needs work"


def test_views_and_clip_plane(panel, window):
    QTest.keyClick(window.view, QtCore.Qt.Key_2, ALT)
    run_until(lambda: window.node.GetDisplayNode().GetSegmentOpacity3D("kidney_left") == pytest.approx(0.15))
    QTest.keyClick(window.view, QtCore.Qt.Key_C, ALT)
    assert panel.ui.clipCheckBox.isChecked()
    QTest.keyClick(window.view, QtCore.Qt.Key_C, ALT)
    assert not panel.ui.clipCheckBox.isChecked()


def test_keys_of_the_editor_work_while_correct_is_open_and_only_then(panel, window):
    editor = panel.ui.editorWidget.findChild(slicer.qMRMLSegmentEditorWidget)
    segmentation = window.node.GetSegmentation()
    editor.saveStateForUndo()
    segmentation.AddEmptySegment("vein", "Vein")
    view = QtWidgets.QWidget()
    window.layout().addWidget(view)
    view.show()

    def press(key: QtCore.Qt.Key) -> int:
        QTest.keyClick(view, key)
        return segmentation.GetNumberOfSegments()

    assert press(QtCore.Qt.Key_Z) == 2
    panel.ui.correctCollapsibleButton.setProperty("collapsed", False)
    run_until(lambda: panel.ui.markLabel.text() == "Left kidney" and panel.ui.segmentsTable.rowCount() == 2)
    QTest.keyClick(view, QtCore.Qt.Key_W)
    assert panel.ui.markLabel.text() == "Vein"
    assert press(QtCore.Qt.Key_Z) == 1 and press(QtCore.Qt.Key_Y) == 2
    panel.exit()
    assert press(QtCore.Qt.Key_Z) == 2
    panel.enter()
    assert press(QtCore.Qt.Key_Z) == 1


def test_keys_of_effects_do_nothing_without_a_segmentation(panel, window):
    """In Slicer 5.10 they would end the program."""
    editor = panel.ui.editorWidget.findChild(slicer.qMRMLSegmentEditorWidget)
    view = QtWidgets.QWidget()
    window.layout().addWidget(view)
    view.show()
    panel.ui.correctCollapsibleButton.setProperty("collapsed", False)
    QTest.keyClick(view, QtCore.Qt.Key_1)
    assert editor.calls.count("effect") == 1
    slicer.mrmlScene.RemoveNode(window.node)
    QTest.keyClick(view, QtCore.Qt.Key_1)
    assert "crash" not in editor.calls and editor.calls.count("effect") == 1


def test_apply_and_cancel(panel, window, engine):
    engine.steps = 100
    QTest.keyClick(window.view, QtCore.Qt.Key_Return, QtCore.Qt.ControlModifier)
    run_until(lambda: panel.ui.applyButton.text() == "Cancel" and "Predicting" in panel.ui.statusLabel.text())
    QTest.keyClick(window.view, QtCore.Qt.Key_Return, QtCore.Qt.ControlModifier)
    run_until(lambda: not panel.widget.logic.isRunning)
    assert "Cancelled" in panel.ui.statusLabel.text()


def test_keys_of_what_cannot_be_done_do_nothing(panel):
    panel.parameters.outputSegmentation = None
    for shortcut in panel.parent.findChildren(QtGui.QShortcut):
        if shortcut.key().toString() != KEYS["applyButton"]:
            shortcut.activated.emit()
    assert not panel.ui.clipCheckBox.isChecked() and panel.ui.correctLabel.text() == "There is nothing to correct yet."
