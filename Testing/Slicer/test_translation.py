"""The panel in another language: what the library says in it too, as Slicer's translators would have it."""

from __future__ import annotations

import ast
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from harness import start

start.install()

import PySide6  # noqa: E402
import slicer  # noqa: E402
from harness.qt_module import FileDialog, QtCore  # noqa: E402
from harness.start import run_until  # noqa: E402
from KidneyParsingModuleLib import Texts, Translation  # noqa: E402
from KidneyParsingModuleLib.ResultRecord import placesOf, record  # noqa: E402
from KidneyParsingModuleLib.ScanFacts import scanText  # noqa: E402
from KidneyParsingModuleLib.TestScenes import PLACE, importMadeResult, madeVolumeNode  # noqa: E402
from slicer_texts import FOLDERS, context_of, for_lupdate, python_files, text_calls  # noqa: E402

from KidneyParsingLib.errors import InputError  # noqa: E402
from KidneyParsingLib.inference.registry import list_models  # noqa: E402
from KidneyParsingLib.mrml.scene import volume_node  # noqa: E402
from KidneyParsingLib.sentences import texts_of  # noqa: E402
from KidneyParsingLib.volumes.volume import Volume  # noqa: E402

GAP = texts_of("inference.review_tubes")("The {structure} may go on here: two parts end {mm:.0f} mm apart.")
REASON = GAP.format(structure=texts_of("KidneyParsingLib.anatomy")("vein"), mm=12.4)
IN_BRACKETS = "<The <vein> may go on here: two parts end 12 mm apart.>"


class Brackets(QtCore.QTranslator):
    """A language that is English in brackets, but for the `texts` that it has others for."""

    def __init__(self, texts: dict[str, str]) -> None:
        super().__init__()
        self.texts = texts

    def isEmpty(self) -> bool:
        return False

    def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str:
        return self.texts.get(text, f"<{text}>")


@pytest.fixture
def install():
    """Installs translators, for the time of a test."""
    installed = []

    def run(translator: QtCore.QTranslator) -> None:
        installed.append(translator)
        assert QtCore.QCoreApplication.installTranslator(translator)

    yield run
    for translator in installed:
        QtCore.QCoreApplication.removeTranslator(translator)


@pytest.fixture
def brackets(install) -> dict[str, str]:
    """The language in brackets; texts that a test adds are translated otherwise."""
    texts: dict[str, str] = {}
    install(Brackets(texts))
    return texts


@pytest.fixture
def thick_ct(scene):
    """A CT that is worth two warnings."""
    return volume_node(scene, Volume(np.full((10, 160, 160), -900, np.int16), np.diag([2.0, 2.0, 5.0, 1.0])))


def place(reason: str) -> dict:
    return {**PLACE, "structure": "vein", "reason": reason, "ml": 0.5}


def test_without_another_language_nothing_is_changed():
    assert Translation.translated(REASON) == "The vein may go on here: two parts end 12 mm apart."
    assert Translation.translated("plain") == "plain" and Texts.structureText("vein") == "Vein"


def test_sentences_within_sentences_are_translated_and_numbers_stay(brackets):
    assert Translation.translated(REASON) == IN_BRACKETS and Translation.translated("plain") == "plain"
    brackets["vein"] = "Vene"
    brackets[GAP.template] = "{mm:.0f} mm fehlen: {structure}"
    assert Translation.translated(REASON) == "12 mm fehlen: Vene"


@pytest.mark.parametrize(
    "wrong",
    [
        "{structur} {mm:.0f}",
        "{structure}",
        "{structure} {mm}",
        "{structure} {mm:.0f} {x}",
        "{structure {mm:.0f}",
        "",
    ],
)
def test_a_translation_with_other_gaps_is_refused(brackets, wrong):
    brackets[GAP.template] = wrong
    assert Translation.translated(REASON) == "The <vein> may go on here: two parts end 12 mm apart."


def test_warnings_about_the_scan(thick_ct, brackets):
    text = scanText(thick_ct)
    assert "<The slices are 5.0 mm apart; thin vessels and ureters may be missed or interrupted.>" in text
    assert "<There are only 10 slices; small structures may be missed.>" in text and "<5 cm along the body" in text


def test_notes_phase_log_and_places_of_a_run(ct_node, engine, brackets, open_panel):
    engine.words, engine.steps = ["speaking"], 8
    panel = open_panel()
    assert panel.ui.applyButton.text() == "<Apply>"
    panel.ui.applyButton.click()
    run_until(lambda: "<Parsing region 2 of 2>" in panel.ui.statusLabel.text())
    run_until(lambda: not panel.widget.logic.isRunning)
    assert "<Only a right kidney was found.>" in panel.ui.statusLabel.text().splitlines()
    assert "<Not enough memory on cuda; going on with the CPU.>" in panel.ui.logTextBox.toPlainText()
    panel.ui.nextPlaceButton.click()
    assert panel.ui.placeLabel.text() == f"<1 of 1, <kidney>, 0.25 ml: {IN_BRACKETS}>"


def test_an_error_of_the_engine_with_the_name_of_the_ct(open_panel, brackets):
    node = madeVolumeNode(slicer.mrmlScene)
    panel = open_panel()
    panel.ui.applyButton.click()
    run_until(lambda: not panel.widget.logic.isRunning)
    expected = f"<Every voxel of {node.GetName()} has the same value (0); export the CT again.>"
    assert panel.ui.statusLabel.text() == expected and expected in panel.ui.logTextBox.toPlainText()


def test_an_error_of_an_export(panel, brackets, tmp_path, dialogs, monkeypatch):
    node = importMadeResult(slicer.mrmlScene, madeVolumeNode(slicer.mrmlScene).GetID())
    panel.parameters.outputSegmentation = node
    FileDialog.answers = [str(tmp_path / "seg.dcm")]
    panel.choose(panel.ui.exportComboBox, "dcm")
    monkeypatch.setattr("KidneyParsingModuleLib.ExportPanel.ensureDicomExport", lambda: None)
    panel.ui.exportButton.click()
    refusal = "<DICOM SEG refers to the CT's DICOM slices; load the CT from Slicer's DICOM database"
    assert dialogs.said[0].startswith("<Nothing was exported.>") and refusal in dialogs.said[0]


def test_an_error_at_the_start_of_a_run(panel, brackets, dialogs, monkeypatch):
    def fail(path: str) -> None:
        raise InputError(texts_of("volumes.damage")("The file {path} is damaged.").format(path="a.nii"))

    monkeypatch.setattr(panel.module, "ensureDependencies", fail)
    panel.ui.applyButton.click()
    assert dialogs.said[0].endswith("<The file a.nii is damaged.>")


def test_errors_keep_their_kind_and_what_is_not_the_librarys_its_text(brackets):
    with pytest.raises(InputError) as caught, Translation.errorsTranslated():
        raise InputError(REASON)
    assert str(caught.value) == IN_BRACKETS
    with pytest.raises(ValueError, match="^mine$"), Translation.errorsTranslated():
        raise ValueError("mine")


def test_systems_and_structures(open_panel, brackets):
    panel = open_panel()
    assert [Texts.structureText(name) for name in ("kidney", "vein")] == ["<kidney>", "<vein>"]
    brackets["kidney"] = "niere"
    assert Texts.structureText("kidney") == "Niere" and Texts.tissueText("vein") == "<vein>"
    model = next(model for model in list_models() if model.name == "tu_net")
    text = Texts.modelText(model)
    assert text.startswith("<<TuNet: cascaded L-, W- and T-Net for kidney and tumor.> Vu et al.")
    # What it is called in its paper is no matter of language.
    assert panel.ui.modelComboBox.findText("TuNet") >= 0


def test_a_reopened_scene_tells_places_in_the_language_of_the_day(scene, reopened, install):
    node = importMadeResult(scene, madeVolumeNode(scene).GetID())
    record(node, "ba_net", [place(REASON), place("A plain reason.")])
    assert node.GetAttribute("KidneyParsing.Places").count("two parts end 12 mm apart") == 1
    places = placesOf(reopened())
    assert places == [place(str(REASON)), place("A plain reason.")]
    install(Brackets({}))
    assert Texts.placeText(places[0], 1, 2) == f"<1 of 2, <vein>, 0.50 ml: {IN_BRACKETS}>"
    assert Texts.placeText(places[1], 2, 2) == "<2 of 2, <vein>, 0.50 ml: A plain reason.>"


@pytest.mark.parametrize("kept", ["", "no json", "[]", '{"A plain reason.": {}}', '{"A plain reason.": 3}'])
def test_a_scene_of_an_older_version_or_another_hand_is_english(scene, kept):
    node = importMadeResult(scene, madeVolumeNode(scene).GetID())
    record(node, "ba_net", [place("A plain reason.")])
    node.SetAttribute("KidneyParsing.Sentences", kept)
    assert placesOf(node) == [place("A plain reason.")]


# The whole way of a translation, with Qt's tools


def tool(name: str) -> str:
    path = shutil.which(name, path=str(Path(PySide6.__file__).parent))
    if path is None:
        pytest.skip(f"PySide6 came without {name}")
    return path


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory) -> Path:
    """The .ts file that Slicer's tools make of the tree."""
    folder, lupdate = tmp_path_factory.mktemp("tree"), tool("lupdate")
    for path in python_files():
        copied = folder / path.relative_to(FOLDERS[0].parent)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text(for_lupdate(path.read_text(encoding="utf-8"), context_of(path)), encoding="utf-8")
    ui = FOLDERS[0] / "Resources" / "UI" / "KidneyParsing.ui"
    catalogue = folder / "KidneyParsing_xx.ts"
    subprocess.run(
        [lupdate, *map(str, sorted(folder.rglob("*.py"))), str(ui), "-target-language", "de", "-ts", str(catalogue)],
        check=True,
        capture_output=True,
    )
    return catalogue


def test_lupdate_finds_every_text_under_the_context_that_is_asked_for(catalogue):
    found = {
        (context.findtext("name"), message.findtext("source"))
        for context in ElementTree.parse(catalogue).iter("context")
        for message in context.iter("message")
    }
    marked = {
        (context_of(path), call.args[0].value)
        for path in python_files()
        for call in text_calls(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert len(marked) > 250 and marked <= found


def test_a_catalogue_of_translations_is_what_the_panel_shows(catalogue, tmp_path, install, ct_node, engine, open_panel):
    tree = ElementTree.parse(catalogue)
    for message in tree.iter("message"):
        translation = message.find("translation")
        translation.text, translation.attrib = f"<{message.findtext('source')}>", {}
    tree.write(tmp_path / "xx.ts", encoding="utf-8", xml_declaration=True)
    subprocess.run(
        [tool("lrelease"), str(tmp_path / "xx.ts"), "-qm", str(tmp_path / "xx.qm")], check=True, capture_output=True
    )
    translator = QtCore.QTranslator()
    assert translator.load(str(tmp_path / "xx.qm"))
    install(translator)
    engine.words = ["speaking"]
    panel = open_panel()
    assert "<The picture is only 5 cm wide; what lies outside is not parsed.>" in panel.ui.scanLabel.text()
    panel.ui.applyButton.click()
    run_until(lambda: not panel.widget.logic.isRunning)
    assert "<Only a right kidney was found.>" in panel.ui.statusLabel.text()
    panel.ui.nextPlaceButton.click()
    assert panel.ui.placeLabel.text() == f"<1 of 1, <kidney>, 0.25 ml: {IN_BRACKETS}>"
