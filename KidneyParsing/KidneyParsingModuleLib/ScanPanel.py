"""The panel's first part: which CT, how to open one, and what was understood of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from .ResultRecord import latestResultOf
from .ScanFacts import scanText


class ScanPanel:
    """Buttons that open a CT, and a few lines about the one that is chosen. The selector is bound to a parameter.

    `onOpened` is called with the node of a CT that was opened by one of the buttons.
    """

    def __init__(self, ui: Any, onOpened: Callable[[slicer.vtkMRMLScalarVolumeNode], None]) -> None:
        self._ui = ui
        self._onOpened = onOpened
        self._shown: tuple[object, ...] = ()
        # The volumes that were there when the user went to the DICOM module.
        self._before: set[str] | None = None
        ui.openFileButton.clicked.connect(self.onOpenFile)
        ui.openDicomButton.clicked.connect(self.onOpenDicom)
        ui.sampleDataButton.clicked.connect(self.onSampleData)

    def show(self, volumeNode: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Tell what the scan is and what may go wrong with it."""
        state = _state(volumeNode) if volumeNode else ("none",)
        # The panel shows itself anew for every change of the scene; the voxels need not be looked at each time.
        if state != self._shown:
            self._shown = state
            self._ui.scanLabel.setText(scanText(volumeNode) if volumeNode else _("Open a CT to begin."))

    def onOpenFile(self, checked: bool = False) -> None:
        """Let the user open a volume file in Slicer's own dialog, and choose it."""
        before = _volumeIDs()
        slicer.util.openAddVolumeDialog()
        self._chooseNew(before)

    def onOpenDicom(self, checked: bool = False) -> None:
        """Go to the DICOM module; a scan that was loaded there is chosen when the user comes back."""
        before = _volumeIDs()
        with slicer.util.tryWithErrorDisplay(_("The DICOM module could not be opened.")):
            slicer.util.selectModule("DICOM")
            self._before = before

    def enter(self) -> None:
        """The user opens the module, or comes back from the DICOM module."""
        before, self._before = self._before, None
        if before is not None:
            self._chooseNew(before)

    def onSampleData(self, checked: bool = False) -> None:
        """Load the made CT that comes with the extension."""
        from .SampleData import loadSampleCTA

        with slicer.util.tryWithErrorDisplay(_("The sample CT could not be loaded."), waitCursor=True):
            self._onOpened(loadSampleCTA())

    def _chooseNew(self, before: set[str]) -> None:
        """Of several new volumes the last one, which Slicer's views show."""
        opened = [node for node in volumeNodes() if node.GetID() not in before]
        if opened:
            self._onOpened(opened[-1])


def volumeNodes() -> list[slicer.vtkMRMLScalarVolumeNode]:
    """The scene's volumes that the selector lists: no label maps, which are volumes too."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode"]


def _volumeIDs() -> set[str]:
    return {node.GetID() for node in volumeNodes()}


def _state(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> tuple[object, ...]:
    """What the text depends on."""
    image, result = volumeNode.GetImageData(), latestResultOf(volumeNode)
    times = [item.GetMTime() for item in (volumeNode, image, result) if item]
    return (volumeNode.GetID(), volumeNode.GetTransformNodeID(), result.GetID() if result else "", *times)
