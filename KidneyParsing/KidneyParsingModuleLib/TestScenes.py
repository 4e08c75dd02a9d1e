"""Small scenes and a listener for the tests that run inside Slicer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer

from KidneyParsingLib.engine.messages import ResultReply

from .ResultImporter import Replacement, ResultImporter
from .RunListener import RunListener

PLACE = {
    "structure": "kidney",
    "reason": "The contour is vague.",
    "center_ras": [-12.0, -14.0, 14.0],
    "ml": 0.25,
    "score": 0.5,
    "kind": "uncertain",
}


class RunRecorder(RunListener):
    """Remembers how a run ended: `ending` is finished, failed or cancelled; empty until then."""

    def __init__(self) -> None:
        self.ending = ""
        self.text = ""
        self.node: slicer.vtkMRMLSegmentationNode | None = None

    def onFinished(self, segmentationNode: slicer.vtkMRMLSegmentationNode, reply: ResultReply) -> None:
        """Remember the result."""
        self.ending, self.node = "finished", segmentationNode

    def onFailed(self, message: str) -> None:
        """Remember why."""
        self.ending, self.text = "failed", message

    def onCancelled(self) -> None:
        """Remember it."""
        self.ending = "cancelled"


def madeVolumeNode(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeNode:
    """A CT of water, 40 mm wide."""
    from KidneyParsingLib.mrml.scene import volume_node

    return volume_node(scene, _madeVolume())


def importMadeResult(
    scene: slicer.vtkMRMLScene,
    volumeNodeID: str,
    size: int = 5,
    replacement: Replacement | None = None,
    onBeforeReplace: Callable[[slicer.vtkMRMLSegmentationNode], None] = lambda node: None,
) -> slicer.vtkMRMLSegmentationNode:
    """The result of a run that found a left kidney of `size` voxels in all directions."""
    from KidneyParsingLib.anatomy import segment
    from KidneyParsingLib.volumes.volume import LabelMap
    from KidneyParsingLib.volumes.writing import write_label_map

    volume, kidney = _madeVolume(), segment("kidney_left")
    array = volume.array.astype("uint8")
    array[5 : 5 + size, 5 : 5 + size, 5 : 5 + size] = kidney.value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.seg.nrrd"
        write_label_map(LabelMap(array, volume.affine, (kidney,)), path)
        reply = ResultReply("1", str(path), places=(PLACE,))
        return ResultImporter(scene, onBeforeReplace).importResult(reply, volumeNodeID, "test", replacement)


def _madeVolume() -> Any:
    import numpy as np

    from KidneyParsingLib.volumes.volume import Volume

    return Volume(np.zeros((20, 20, 20), np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))
