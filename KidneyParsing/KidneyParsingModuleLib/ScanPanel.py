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

    `onOpened` is called with the node of a CT that was opened here.
    """

    def __init__(self, ui: Any, onOpened: Callable[[slicer.vtkMRMLScalarVolumeNode], None]) -> None:
        self._ui = ui
        self._onOpened = onOpened
        self._shown: tuple[object, ...] = ()
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
        """Let the user open a volume file, as Slicer's own dialog does."""
        slicer.util.openAddVolumeDialog()

    def onOpenDicom(self, checked: bool = False) -> None:
        """Go to the DICOM module; its scans are in the selector when the user comes back."""
        with slicer.util.tryWithErrorDisplay(_("The DICOM module could not be opened.")):
            slicer.util.selectModule("DICOM")

    def onSampleData(self, checked: bool = False) -> None:
        """Load the made CT that comes with the extension."""
        from .SampleData import loadSampleCTA

        with slicer.util.tryWithErrorDisplay(_("The sample CT could not be loaded."), waitCursor=True):
            self._onOpened(loadSampleCTA())


def _state(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> tuple[object, ...]:
    """What the text depends on."""
    image, result = volumeNode.GetImageData(), latestResultOf(volumeNode)
    times = [item.GetMTime() for item in (volumeNode, image, result) if item]
    return (volumeNode.GetID(), volumeNode.GetTransformNodeID(), result.GetID() if result else "", *times)
