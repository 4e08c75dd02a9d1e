"""What the panel says and remembers, without the panel."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from harness import start

start.install()

import slicer  # noqa: E402
from KidneyParsingModuleLib import Texts  # noqa: E402
from KidneyParsingModuleLib.EngineListener import EngineState  # noqa: E402
from KidneyParsingModuleLib.Graphics import GraphicsQuery  # noqa: E402
from KidneyParsingModuleLib.HardwareNotes import GraphicsCard  # noqa: E402
from KidneyParsingModuleLib.ResultRecord import fingerprint, isEdited, placesOf  # noqa: E402
from KidneyParsingModuleLib.RunChoices import ChoiceStore, RunChoices  # noqa: E402
from KidneyParsingModuleLib.RunPanel import RunPanel  # noqa: E402
from KidneyParsingModuleLib.TestScenes import importMadeResult, madeVolumeNode  # noqa: E402

from KidneyParsingLib.engine.messages import ResultReply  # noqa: E402

MODELS = {"ba_net": ("kidney", "tumor", "artery"), "kid_net": ("artery", "vein")}


# Choices


def store(settings: dict[str, str]) -> ChoiceStore:
    return ChoiceStore(lambda field: settings.get(field, ""), settings.__setitem__)


def parameters(**values: str) -> SimpleNamespace:
    return SimpleNamespace(**{"modelName": "", "device": "", "quality": "", "structures": "", **values})


def test_scene_goes_before_settings_and_settings_before_defaults():
    choices = store({"quality": "fast", "device": "cpu"}).read(parameters(quality="best"), MODELS)
    assert choices == RunChoices("ba_net", "cpu", "best", None)


def test_what_is_written_is_read_in_the_next_scene():
    settings: dict[str, str] = {}
    for structures in (None, ("kidney",), ("kidney", "artery")):
        choices = RunChoices("ba_net", "cpu", "best", structures)
        store(settings).write(parameters(), choices)
        assert store(settings).read(parameters(), MODELS) == choices


def test_no_structure_stays_no_structure_in_its_scene():
    node = parameters()
    store({}).write(node, RunChoices(structures=()))
    assert store({}).read(node, MODELS).structures == ()


def test_what_is_no_longer_there_counts_as_not_chosen():
    node = parameters(modelName="of last year", device="tpu", quality="ultra", structures="spleen")
    assert store({}).read(node, MODELS) == RunChoices()


def test_structures_that_the_model_lacks_are_left_out():
    node = parameters(modelName="kid_net", structures="kidney,vein")
    assert store({}).read(node, MODELS).structures == ("vein",)


def test_options_ask_for_places():
    options = RunChoices("kid_net", "cpu", "fast", ("vein",)).options
    assert (options.model, options.device, options.quality, options.structures) == ("kid_net", "cpu", "fast", ("vein",))
    assert options.review


# Graphics card


def test_graphics_query_hears_the_program_or_that_there_is_none():
    heard = []
    command = [sys.executable, "-c", "print('Card, 551.23, 2048, 1024')"]
    query = GraphicsQuery(heard.append, command)
    query.start()
    start.run_until(lambda: heard)
    assert heard == [GraphicsCard("Card", "551.23", 2.0, 1.0)]
    missing = GraphicsQuery(heard.append, ["/nowhere/smi"])
    missing.start()
    start.run_until(lambda: len(heard) == 2)
    assert heard[1] is None
    query.close()
    query.start()


def test_query_that_is_closed_early_says_nothing():
    heard = []
    query = GraphicsQuery(heard.append, [sys.executable, "-c", "import time; time.sleep(30)"])
    query.start()
    query.close()
    start.qt_module.QtCore.QCoreApplication.processEvents()
    assert heard == []


# Run


@pytest.fixture
def run_panel(open_panel, monkeypatch):
    """The part of an open panel that shows runs, and what it told."""
    ui, told = open_panel().ui, []
    panel = RunPanel(ui, lambda: told.append("idle changed"), told.append, told.append)
    yield SimpleNamespace(panel=panel, ui=ui, told=told)
    panel.close()


def test_progress_shows_percent_phase_and_time_left(run_panel):
    panel, ui = run_panel.panel, run_panel.ui
    panel.onStateChanged(EngineState.STARTING)
    assert not ui.progressBar.isHidden() and ui.statusLabel.text() == "Starting... 0:00"
    panel.onProgress(0.42, "Predicting", None)
    assert ui.progressBar.value() == 42 and "left" not in ui.statusLabel.text()
    panel.onProgress(0.43, "Predicting", 95.5)
    assert ui.statusLabel.text().endswith(", about 1:35 left")
    panel.onStateChanged(EngineState.CANCELLING)
    assert ui.statusLabel.text().startswith("Cancelling")
    panel.onStateChanged(EngineState.IDLE)
    assert ui.progressBar.isHidden() and run_panel.told == ["idle changed"] * 3


def test_end_of_a_run_is_told_with_its_notes(run_panel):
    panel, ui = run_panel.panel, run_panel.ui
    panel.onFinished("the node", ResultReply("1", "out", notes=("Only a right kidney was found.",), seconds=125.0))
    assert run_panel.told == ["the node"]
    assert "2:05" in ui.statusLabel.text() and "Only a right kidney" in ui.statusLabel.text()
    panel.onFailed("There is no file.")
    assert ui.statusLabel.text() == "There is no file." in ui.logTextBox.toPlainText()
    panel.onCancelled()
    assert "Nothing was added" in ui.statusLabel.text()


def test_new_run_begins_with_an_empty_log_and_bar(run_panel):
    run_panel.panel.onLog("old")
    run_panel.panel.onProgress(0.9, "Predicting", 2.0)
    run_panel.panel.onStateChanged(EngineState.STARTING)
    assert run_panel.ui.logTextBox.toPlainText() == "" and run_panel.ui.progressBar.value() == 0


# Results


def test_fingerprint_is_that_of_the_voxels_however_a_file_crops_them(scene, tmp_path):
    node = importMadeResult(scene, madeVolumeNode(scene).GetID())
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "a.seg.nrrd"))
    storage.SetCropToMinimumExtent(True)
    assert storage.WriteData(node)
    again = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(again)
    assert fingerprint(again) == fingerprint(node)


def test_every_kind_of_work_counts_as_an_edit(scene):
    from KidneyParsingLib.mrml.review_views import setStatus

    node = importMadeResult(scene, madeVolumeNode(scene).GetID())
    assert not isEdited(node)
    setStatus(node, "kidney_left", "needs work")
    assert isEdited(node)
    setStatus(node, "kidney_left", "")
    assert not isEdited(node)
    node.GetSegmentation().AddEmptySegment("mine", "Mine")
    assert isEdited(node)


def test_places_survive_a_saved_scene(scene, reopened):
    from KidneyParsingModuleLib.ResultRecord import record

    node = importMadeResult(scene, madeVolumeNode(scene).GetID())
    place = {"structure": "vein", "reason": 'A "gap": 50 %; see <here> & there.', "center_ras": [1.5, -2.0, 3.0]}
    record(node, "ba_net", [place])
    assert placesOf(reopened()) == [place]


def test_fingerprint_tells_a_moved_segment_and_layers_apart(scene):
    from KidneyParsingLib.mrml.scene import fill_image

    node = importMadeResult(scene, madeVolumeNode(scene).GetID())
    before = fingerprint(node)
    image = node.GetSegmentation().GetSegment("kidney_left").GetRepresentation("Binary labelmap")
    for axis in range(3):
        extent = list(image.GetExtent())
        moved = [bound + (index // 2 == axis) for index, bound in enumerate(extent)]
        image.SetExtent(moved)
        assert fingerprint(node) != before
        image.SetExtent(extent)
    assert fingerprint(node) == before
    overlapping = slicer.vtkOrientedImageData()
    fill_image(overlapping, np.ones((3, 3, 3), np.uint8))
    node.AddSegmentFromBinaryLabelmapRepresentation(overlapping, "over")
    assert fingerprint(node) != before


def test_places_of_another_origin_are_none(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert placesOf(node) == []
    node.SetAttribute("KidneyParsing.Places", "{broken")
    assert placesOf(node) == []


# Texts


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (3600, "60:00")])
def test_elapsed_time(seconds, text):
    assert Texts.formatElapsed(seconds) == text


@pytest.mark.parametrize(("ml", "text"), [(181.456, "181.5"), (3.2, "3.20"), (0.0, "0.00")])
def test_volume(ml, text):
    assert Texts.formatVolume(ml) == text


def test_texts_say_research_use_and_cite():
    assert "Not a medical device" in Texts.helpText() and "arXiv 2208.13338" in Texts.acknowledgementText()


def test_every_name_of_the_library_has_a_text():
    from KidneyParsingModuleLib.ExportPanel import KINDS

    from KidneyParsingLib.anatomy import STRUCTURES
    from KidneyParsingLib.mrml import exporting
    from KidneyParsingLib.mrml.review_views import VIEWS

    assert all(Texts.structureText(entry.name) == entry.name.capitalize() for entry in STRUCTURES)
    assert all(Texts.exportText(kind) != kind for kind in KINDS) and set(KINDS) == set(exporting.KINDS)
    assert all(Texts.viewText(view.name) for view in VIEWS)
