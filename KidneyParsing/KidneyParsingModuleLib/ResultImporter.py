"""A finished run's file as a segmentation in the scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _

from KidneyParsingLib.engine.messages import ResultReply

from .ResultRecord import fingerprint, record, recordContrast


class ResultError(RuntimeError):
    """The result does not become a segmentation; the text tells the user why."""


@dataclass(frozen=True)
class Replacement:
    """A segmentation that a result may replace as long as its segments are those of `state`."""

    nodeID: str
    state: str

    @classmethod
    def of(cls, node: slicer.vtkMRMLSegmentationNode) -> Replacement:
        """The node as it is now may be replaced."""
        return cls(node.GetID(), fingerprint(node))

    def find(self, scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLSegmentationNode | None:
        """The node, unless it has left the scene or been edited since."""
        node = scene.GetNodeByID(self.nodeID)
        return node if node and fingerprint(node) == self.state else None


class ResultImporter:
    """Puts results into a scene. `onBeforeReplace` hears of a segmentation just before its segments are replaced."""

    def __init__(
        self, scene: slicer.vtkMRMLScene, onBeforeReplace: Callable[[slicer.vtkMRMLSegmentationNode], None]
    ) -> None:
        self._scene = scene
        self._onBeforeReplace = onBeforeReplace

    def importResult(
        self, reply: ResultReply, volumeNodeID: str, model: str, replacement: Replacement | None = None
    ) -> slicer.vtkMRMLSegmentationNode:
        """The segmentation of a .seg.nrrd file of the engine, shown in 3D, on the grid and transform of its CT.

        It is a new node, beside the CT in the subject hierarchy, unless a `replacement` may take it. Raises
        ResultError, and changes nothing, if the CT has left the scene or nothing was found in it.
        """
        from KidneyParsingLib.mrml.segmentation import create_segmentation_node
        from KidneyParsingLib.volumes.writing import read_label_map

        volumeNode = self._scene.GetNodeByID(volumeNodeID)
        if volumeNode is None:
            raise ResultError(_("The CT was removed from the scene during the run; its segmentation was not added."))
        labelMap = read_label_map(reply.output)
        if not any(labelMap.volumes_ml().values()):
            raise ResultError(_("No kidney was found in {name}.").format(name=volumeNode.GetName()))
        old = replacement.find(self._scene) if replacement else None
        name = _("{volume} kidneys").format(volume=volumeNode.GetName())
        node = create_segmentation_node(self._scene, labelMap, None if old else volumeNode, name)
        if old:
            node = self._replace(old, node, volumeNode)
        record(node, model, reply.places)
        _recordContrast(node, volumeNode, labelMap)
        return node

    def _replace(
        self,
        old: slicer.vtkMRMLSegmentationNode,
        new: slicer.vtkMRMLSegmentationNode,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
    ) -> slicer.vtkMRMLSegmentationNode:
        self._onBeforeReplace(old)
        if not old.GetDisplayNode():
            old.CreateDefaultDisplayNodes()
        with slicer.util.NodeModify(old):
            old.GetSegmentation().DeepCopy(new.GetSegmentation())
            old.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
            old.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        _copyOpacities(new, old)
        self._scene.RemoveNode(new.GetDisplayNode())
        self._scene.RemoveNode(new)
        return old


def _recordContrast(
    node: slicer.vtkMRMLSegmentationNode, volumeNode: slicer.vtkMRMLScalarVolumeNode, labelMap: Any
) -> None:
    """Measure the contrast phase now, while voxels and labels are at hand on one grid."""
    from KidneyParsingLib.mrml.scene import volume_of
    from KidneyParsingLib.volumes.overview import measure_contrast

    hu = volume_of(volumeNode).array if volumeNode.GetImageData() else None
    # Other voxels than those that were segmented, if someone has changed the CT meanwhile.
    if hu is not None and hu.shape == labelMap.array.shape:
        recordContrast(node, measure_contrast(hu, labelMap.array))


def _copyOpacities(source: slicer.vtkMRMLSegmentationNode, target: slicer.vtkMRMLSegmentationNode) -> None:
    shown, display = source.GetDisplayNode(), target.GetDisplayNode()
    for segmentID in source.GetSegmentation().GetSegmentIDs():
        display.SetSegmentOpacity3D(segmentID, shown.GetSegmentOpacity3D(segmentID))
        display.SetSegmentOpacity2DFill(segmentID, shown.GetSegmentOpacity2DFill(segmentID))
