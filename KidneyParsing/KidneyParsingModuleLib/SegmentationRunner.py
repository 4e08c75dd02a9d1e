"""From a volume node to a segmentation node with the engine in the background."""

from __future__ import annotations

import itertools
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from KidneyParsingLib.engine.messages import ResultReply, SegmentRequest
from KidneyParsingLib.inference.options import Options

from .EngineListener import EngineListener, EngineState
from .EngineProcess import EngineProcess
from .RemovalWatch import RemovalWatch
from .ResultImporter import Replacement, ResultError, ResultImporter
from .RunListener import RunListener
from .Translation import translatedError
from .VolumeWriter import writeVolume


class SegmentationRunner:
    """Segments volume nodes of a scene, one at a time. It holds node IDs, not nodes, as nodes may go during a run."""

    def __init__(
        self,
        listener: RunListener,
        scene: slicer.vtkMRMLScene,
        createEngine: Callable[[EngineListener], EngineProcess] = EngineProcess,
    ) -> None:
        self._listener = listener
        self._importer = ResultImporter(scene, listener.onBeforeReplace)
        self._engine = createEngine(self)
        self._numbers = itertools.count(1)
        self._folder: tempfile.TemporaryDirectory | None = None
        self._volumeNodeID = ""
        self._volumeName = ""
        self._model = ""
        self._replacement: Replacement | None = None
        self._removal = RemovalWatch(scene, self._onVolumeRemoved)
        self._whyCancelled = ""

    @property
    def isRunning(self) -> bool:
        """Whether a run is going on or being cancelled."""
        return self._engine.state is not EngineState.IDLE

    def start(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        options: Options,
        replacement: Replacement | None = None,
    ) -> None:
        """Begin a run; its result is a new node, or replaces one that nobody edits meanwhile.

        Raises RuntimeError if a run is going on, or if the volume or the engine cannot be used.
        """
        if self.isRunning:
            raise RuntimeError(_("A segmentation is running already."))
        self._volumeNodeID = volumeNode.GetID()
        self._volumeName = volumeNode.GetName()
        self._model = options.model
        self._replacement = replacement
        self._whyCancelled = ""
        self._folder = tempfile.TemporaryDirectory(
            prefix="KidneyParsing-", dir=slicer.app.temporaryPath, ignore_cleanup_errors=True
        )
        try:
            writeVolume(volumeNode, self._path("ct.nrrd"))
            self._engine.start(self._request(options))
        except Exception:
            self._removeFiles()
            raise
        self._removal.watch(self._volumeNodeID)

    def cancel(self) -> None:
        """End the run, if there is one; onCancelled follows within about half a second."""
        self._engine.cancel()

    def close(self) -> None:
        """End the run and the engine at once and for good, without telling the listener."""
        self._engine.close()
        self._removeFiles()

    def onStateChanged(self, state: EngineState) -> None:
        """Pass on what the engine says."""
        self._listener.onStateChanged(state)

    def onProgress(self, fraction: float, phase: str, secondsLeft: float | None) -> None:
        """Pass on what the engine says."""
        self._listener.onProgress(fraction, phase, secondsLeft)

    def onLog(self, text: str) -> None:
        """Pass on what the engine says."""
        self._listener.onLog(text)

    def onResult(self, reply: ResultReply) -> None:
        """Import the result into the scene."""
        try:
            node = self._importer.importResult(reply, self._volumeNodeID, self._model, self._replacement)
        except ResultError as error:
            self.onError(str(error))
        except Exception as error:
            logging.exception("The result of Kidney Parsing could not be added to the scene")
            text = _("The result could not be added to the scene: {reason}")
            self.onError(text.format(reason=translatedError(error)))
        else:
            self._removeFiles()
            self._listener.onFinished(node, reply)

    def onError(self, message: str) -> None:
        """Clean up and pass it on, with the CT's name in the place of a file that the user never saw."""
        if self._folder:
            message = message.replace(self._path("ct.nrrd"), self._volumeName)
        self._removeFiles()
        self._listener.onFailed(message)

    def onCancelled(self) -> None:
        """Clean up and pass it on, or tell why if it was not the user who cancelled."""
        self._removeFiles()
        if self._whyCancelled:
            self._listener.onFailed(self._whyCancelled)
        else:
            self._listener.onCancelled()

    def _onVolumeRemoved(self) -> None:
        # The user's own Cancel, or that of a closing scene, needs no other reason.
        if self._engine.state in (EngineState.STARTING, EngineState.RUNNING):
            text = _("{name} was removed from the scene, so its run was cancelled. Nothing was added to the scene.")
            self._whyCancelled = text.format(name=self._volumeName)
            self._engine.cancel()

    def _request(self, options: Options) -> SegmentRequest:
        files = (self._path("ct.nrrd"), self._path("result.seg.nrrd"))
        id = str(next(self._numbers))
        return SegmentRequest.of(id, *files, options)

    def _path(self, name: str) -> str:
        return str(Path(self._folder.name) / name)

    def _removeFiles(self) -> None:
        """Forget what belongs to the run, which has ended."""
        self._removal.watch("")
        if self._folder:
            self._folder.cleanup()
            self._folder = None
