"""The part of the panel that shows a run: progress, status and log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from KidneyParsingLib.engine.messages import ResultReply

from .EngineListener import EngineState
from .Labels import showText
from .RunListener import RunListener
from .Texts import formatElapsed
from .Translation import translated
from .Views import center3DViews

CLOCK_MSEC = 1000


class RunPanel(RunListener):
    """Listens to runs and shows them in the widgets of `ui` (see KidneyParsing.ui).

    `onIdleChanged` is called when a run begins or ends, `onBeforeReplace` with a segmentation whose segments are about
    to be replaced, `onNewSegmentation` with the node of each result.
    """

    def __init__(
        self,
        ui: Any,
        onIdleChanged: Callable[[], None],
        onBeforeReplace: Callable[[slicer.vtkMRMLSegmentationNode], None],
        onNewSegmentation: Callable[[slicer.vtkMRMLSegmentationNode], None],
    ) -> None:
        self._ui = ui
        self._onIdleChanged = onIdleChanged
        self._onBeforeReplace = onBeforeReplace
        self._onNewSegmentation = onNewSegmentation
        self._phase = ""
        self._secondsLeft: float | None = None
        self._startTime = 0.0
        showText(ui.statusLabel, "")
        self._clock = qt.QTimer()
        self._clock.setInterval(CLOCK_MSEC)
        self._clock.timeout.connect(self._showPhase)

    def close(self) -> None:
        """Stop the clock."""
        self._clock.stop()

    def onStateChanged(self, state: EngineState) -> None:
        """Show whether a run is going on."""
        if state is EngineState.STARTING:
            self._begin()
        elif state is EngineState.CANCELLING:
            self._phase = _("Cancelling")
            self._secondsLeft = None
            self._showPhase()
        elif state is EngineState.IDLE:
            self._clock.stop()
            self._ui.progressBar.setVisible(False)
        self._onIdleChanged()

    def onProgress(self, fraction: float, phase: str, secondsLeft: float | None) -> None:
        """Show how far the run is."""
        self._phase = phase
        self._secondsLeft = secondsLeft
        self._ui.progressBar.setValue(round(100 * fraction))
        self._showPhase()

    def onLog(self, text: str) -> None:
        """Add the engine's text to the log."""
        self._ui.logTextBox.appendPlainText(text)

    def onBeforeReplace(self, segmentationNode: slicer.vtkMRMLSegmentationNode) -> None:
        """Pass it on."""
        self._onBeforeReplace(segmentationNode)

    def onFinished(self, segmentationNode: slicer.vtkMRMLSegmentationNode, reply: ResultReply) -> None:
        """Show the new segmentation."""
        self._onNewSegmentation(segmentationNode)
        center3DViews()
        done = _("Done in {time}. Check every segment before you use it.").format(time=formatElapsed(reply.seconds))
        showText(self._ui.statusLabel, "\n".join([done, *map(translated, reply.notes), *_viewNotes()]))

    def onFailed(self, message: str) -> None:
        """Tell what went wrong in the panel, without a dialog in the way."""
        self.onLog(message)
        showText(self._ui.statusLabel, message)

    def onCancelled(self) -> None:
        """Say that nothing has changed."""
        showText(self._ui.statusLabel, _("Cancelled. Nothing was added to the scene."))

    def _begin(self) -> None:
        self._phase = _("Starting")
        self._secondsLeft = None
        self._startTime = time.monotonic()
        self._ui.logTextBox.clear()
        self._ui.progressBar.setValue(0)
        self._ui.progressBar.setVisible(True)
        self._clock.start()
        self._showPhase()

    def _showPhase(self) -> None:
        elapsed = formatElapsed(time.monotonic() - self._startTime)
        text = _("{phase}... {elapsed}").format(phase=self._phase, elapsed=elapsed)
        if self._secondsLeft is not None:
            text = _("{phase}, about {left} left").format(phase=text, left=formatElapsed(self._secondsLeft))
        showText(self._ui.statusLabel, text)


def _viewNotes() -> list[str]:
    """Where to see the result in 3D if the user's layout, which stays as it is, has no 3D view."""
    views = slicer.util.getNodesByClass("vtkMRMLViewNode", slicer.mrmlScene)
    if not views or any(view.IsMappedInLayout() for view in views):
        return []
    return [_("This layout has no 3D view; the toolbar's layout menu has some that do, such as Four-Up.")]
