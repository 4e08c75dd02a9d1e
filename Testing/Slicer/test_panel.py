"""The .ui file as Qt loads it, and the part of the panel that shows a run; PySide6 stands in for PythonQt."""

from types import SimpleNamespace

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import qt_stubs  # noqa: E402

APPLICATION = qt_stubs.install()

from KidneyParsingModuleLib import ResultImporter, Texts  # noqa: E402
from KidneyParsingModuleLib.EngineListener import EngineState  # noqa: E402
from KidneyParsingModuleLib.ResultImporter import ImportedSegmentation  # noqa: E402
from KidneyParsingModuleLib.RunPanel import RunPanel  # noqa: E402
from PySide6.QtUiTools import QUiLoader  # noqa: E402
from PySide6.QtWidgets import QWidget  # noqa: E402

from KidneyParsingLib.engine.messages import ResultReply  # noqa: E402

UI_FILE = qt_stubs.MODULE_FOLDER / "Resources" / "UI" / "KidneyParsing.ui"


@pytest.fixture
def panel_widget():
    loader = QUiLoader()
    for name in ("qMRMLWidget", "qMRMLNodeComboBox", "ctkCollapsibleButton"):
        loader.registerCustomWidget(type(name, (QWidget,), {}))
    widget = loader.load(str(UI_FILE))
    yield widget
    widget.deleteLater()


@pytest.fixture
def ui(panel_widget):
    return SimpleNamespace(**{child.objectName(): child for child in panel_widget.findChildren(QWidget)})


@pytest.fixture
def heard():
    return []


@pytest.fixture
def panel(ui, heard, monkeypatch):
    monkeypatch.setattr(slicer, "app", SimpleNamespace(layoutManager=lambda: None), raising=False)
    panel = RunPanel(ui, lambda: heard.append("idle changed"), heard.append)
    yield panel
    panel.close()


def test_ui_file_keeps_the_parameter_names(ui):
    assert ui.inputSelector.property("SlicerParameterName") == "inputVolume"
    assert ui.deviceComboBox.property("SlicerParameterName") == "device"
    assert ui.volumesTable.columnCount() == 2 and ui.logTextBox.isReadOnly()


def test_run_is_shown_and_its_result(ui, panel, heard):
    panel.onStateChanged(EngineState.STARTING)
    assert not ui.progressBar.isHidden() and ui.statusLabel.text() == "Starting... 0:00"
    panel.onProgress(0.42, "Predicting", None)
    assert ui.progressBar.value() == 42 and ui.statusLabel.text().startswith("Predicting... ")
    assert "left" not in ui.statusLabel.text()
    panel.onProgress(0.43, "Predicting", 95.5)
    assert ui.statusLabel.text().endswith(", about 1:35 left")
    panel.onLog("a line")
    panel.onStateChanged(EngineState.IDLE)
    assert ui.progressBar.isHidden() and heard == ["idle changed"] * 2
    result = ImportedSegmentation("the node", [("Right kidney", 181.456), ("Tumor", 3.2)])
    panel.onFinished(result, ResultReply("1", "out", notes=("Only a right kidney was found.",), seconds=125.0))
    assert heard[-1] == "the node" and ui.logTextBox.toPlainText() == "a line"
    cells = [[ui.volumesTable.item(row, column).text() for column in (0, 1)] for row in (0, 1)]
    assert cells == [["Right kidney", "181.5"], ["Tumor", "3.20"]]
    assert "2:05" in ui.statusLabel.text() and "Only a right kidney" in ui.statusLabel.text()


def test_failure_is_shown_in_status_and_log(ui, panel):
    panel.onFailed("There is no file.")
    assert ui.statusLabel.text() == ui.logTextBox.toPlainText() == "There is no file."


def test_new_run_starts_with_an_empty_log_and_bar(ui, panel):
    panel.onLog("old")
    panel.onProgress(0.9, "Predicting", 2.0)
    panel.onStateChanged(EngineState.STARTING)
    assert ui.logTextBox.toPlainText() == "" and ui.progressBar.value() == 0


def test_cancelled_run_is_shown(ui, panel):
    panel.onStateChanged(EngineState.STARTING)
    panel.onStateChanged(EngineState.CANCELLING)
    assert ui.statusLabel.text().startswith("Cancelling")
    panel.onStateChanged(EngineState.IDLE)
    panel.onCancelled()
    assert "Nothing was added" in ui.statusLabel.text()


def test_all_3d_views_are_centered(monkeypatch):
    centered = []
    views = [SimpleNamespace(threeDView=lambda: SimpleNamespace(resetFocalPoint=lambda: centered.append(1)))] * 2
    manager = SimpleNamespace(threeDViewCount=2, threeDWidget=views.__getitem__)
    monkeypatch.setattr(slicer, "app", SimpleNamespace(layoutManager=lambda: manager), raising=False)
    ResultImporter.center3DViews()
    assert len(centered) == 2


@pytest.mark.parametrize("seconds, text", [(0, "0:00"), (59.9, "0:59"), (3600, "60:00")])
def test_elapsed_time(seconds, text):
    assert Texts.formatElapsed(seconds) == text


def test_texts_say_research_use_and_cite():
    assert "Not a medical device" in Texts.helpText() and "arXiv 2208.13338" in Texts.acknowledgementText()
