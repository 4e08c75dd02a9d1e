"""The panel's export: what to write, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from .Dependencies import ensureDicomExport
from .Labels import showText
from .Texts import exportText
from .Translation import errorsTranslated
from .UserSettings import recall, remember

# As `mrml.exporting` knows them; surfaces are written into a folder, the others are files with that ending.
KINDS = ("seg.nrrd", "nii.gz", "stl", "obj", "glb", "dcm", "mrb")
FOLDER_KINDS = ("stl", "obj", "glb")
FOLDER_SETTING = "exportFolder"


class ExportPanel:
    """Asks for a file or folder and writes the segmentation there; the last folder is remembered."""

    def __init__(self, ui: Any, scene: slicer.vtkMRMLScene) -> None:
        self._ui = ui
        self._scene = scene
        self._segmentationNodeID = ""
        self._volumeNodeID = ""
        self._isEmpty = False
        for kind in KINDS:
            ui.exportComboBox.addItem(exportText(kind), kind)
        ui.exportButton.clicked.connect(self.onExport)

    def setSegmentation(
        self, node: slicer.vtkMRMLSegmentationNode | None, volumeNode: slicer.vtkMRMLScalarVolumeNode | None
    ) -> None:
        """Export this segmentation of that CT."""
        self._segmentationNodeID = node.GetID() if node else ""
        self._volumeNodeID = volumeNode.GetID() if volumeNode else ""
        self._ui.exportButton.setEnabled(node is not None)
        if (node is None) != self._isEmpty:
            self._isEmpty = node is None
            showText(self._ui.exportLabel, _("There is nothing to export yet.") if self._isEmpty else "")

    def onExport(self, checked: bool = False) -> None:
        """Ask where to, write, and say what was written."""
        kind = KINDS[self._ui.exportComboBox.property("currentIndex")]
        node = self._node(self._segmentationNodeID)
        path = self._ask(kind, node.GetName()) if node else None
        if not path:
            return
        showText(self._ui.exportLabel, "")
        with slicer.util.tryWithErrorDisplay(_("Nothing was exported."), waitCursor=True), errorsTranslated():
            files = self._write(kind, path)
            remember(FOLDER_SETTING, str(path if kind in FOLDER_KINDS else path.parent))
            text = _("Written: {path}") if files else _("Nothing was written; {path} stays as it was.")
            showText(self._ui.exportLabel, text.format(path=path))

    def _node(self, nodeID: str) -> slicer.vtkMRMLNode | None:
        return self._scene.GetNodeByID(nodeID) if nodeID else None

    def _write(self, kind: str, path: Path) -> list[Path]:
        """The files that were written, none if the user would rather keep older ones."""
        from KidneyParsingLib.mrml.exporting import exportSegmentation
        from KidneyParsingLib.volumes.output_files import OutputExistsError

        if kind == "dcm":
            ensureDicomExport()
        nodes = (self._node(self._segmentationNodeID), self._node(self._volumeNodeID))
        try:
            return exportSegmentation(*nodes, path, kind)
        except OutputExistsError:
            question = _("There are files of these names in {path} already. Replace them?").format(path=path)
            # The dialog for a single file has asked this already.
            if kind in FOLDER_KINDS and not slicer.util.confirmYesNoDisplay(question):
                return []
        return exportSegmentation(*nodes, path, kind, replace=True)

    def _ask(self, kind: str, name: str) -> Path | None:
        parent, title, folder = slicer.util.mainWindow(), _("Export"), recall(FOLDER_SETTING)
        if kind in FOLDER_KINDS:
            chosen = qt.QFileDialog.getExistingDirectory(parent, title, folder)
            return Path(chosen) if chosen else None
        # A series' name may hold what no file name may.
        valid = slicer.app.coreIOManager().forceFileNameValidCharacters(name)
        proposal = str(Path(folder) / f"{valid}.{kind}")
        chosen = qt.QFileDialog.getSaveFileName(parent, title, proposal, f"*.{kind}")
        return _withSuffix(chosen, f".{kind}") if chosen else None


def _withSuffix(path: str, suffix: str) -> Path | None:
    """The path with its ending; None if that is another file, which the dialog did not ask about, and is to stay."""
    if path.lower().endswith(suffix):
        return Path(path)
    completed = Path(path + suffix)
    question = _("{path} is there already. Replace it?").format(path=completed)
    return None if completed.exists() and not slicer.util.confirmYesNoDisplay(question) else completed
