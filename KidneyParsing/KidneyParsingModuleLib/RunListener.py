"""Whom a segmentation run tells what happens."""

from __future__ import annotations

import logging

import slicer

from KidneyParsingLib.engine.messages import ResultReply

from .EngineListener import EngineState


class RunListener:
    """Writes to the application's log; override what you need. All calls come on the main thread.

    Each run ends with exactly one of onFinished, onFailed, onCancelled.
    """

    def onStateChanged(self, state: EngineState) -> None:
        """The engine is in another state now."""

    def onProgress(self, fraction: float, phase: str, secondsLeft: float | None) -> None:
        """The run has come this far (0..1) and will take `secondsLeft` more, None while that is not known."""

    def onLog(self, text: str) -> None:
        """Text for a log window."""
        logging.info(text)

    def onBeforeReplace(self, segmentationNode: slicer.vtkMRMLSegmentationNode) -> None:
        """The segments of this node are about to be replaced: the time to save them for undo."""

    def onFinished(self, segmentationNode: slicer.vtkMRMLSegmentationNode, reply: ResultReply) -> None:
        """The segmentation is in the scene."""
        logging.info("Kidney Parsing finished in %.1f seconds", reply.seconds)

    def onFailed(self, message: str) -> None:
        """Nothing was added to the scene; `message` is for the user."""
        logging.error(message)

    def onCancelled(self) -> None:
        """Nothing was added to the scene, as the user wished."""
        logging.info("Kidney Parsing was cancelled")
