"""A finished run's file as a segmentation in the scene."""

from __future__ import annotations

from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

MODEL_ATTRIBUTE = "KidneyParsing.Model"


class ResultError(RuntimeError):
    """The result does not become a segmentation; the text tells the user why."""


@dataclass(frozen=True)
class ImportedSegmentation:
    """The new node, and the name and volume in ml of each of its segments."""

    node: slicer.vtkMRMLSegmentationNode
    volumes: list[tuple[str, float]]


def importSegmentation(scene: slicer.vtkMRMLScene, path: str, volumeNodeID: str, model: str) -> ImportedSegmentation:
    """A new segmentation node from a .seg.nrrd file of the engine, shown in 3D, on the grid of its CT.

    Raises ResultError, and adds nothing, if the CT has left the scene or nothing was found in it.
    """
    from KidneyParsingLib.mrml.segmentation import create_segmentation_node
    from KidneyParsingLib.volumes.writing import read_label_map

    volumeNode = scene.GetNodeByID(volumeNodeID)
    if volumeNode is None:
        raise ResultError(_("The CT was removed from the scene during the run; its segmentation was not added."))
    labelMap = read_label_map(path)
    volumes = labelMap.volumes_ml()
    found = [(segment.name, volumes[segment.id]) for segment in labelMap.segments if volumes[segment.id] > 0]
    if not found:
        raise ResultError(_("No kidney was found in {name}.").format(name=volumeNode.GetName()))
    name = _("{volume} kidneys").format(volume=volumeNode.GetName())
    node = create_segmentation_node(scene, labelMap, volumeNode, name, {MODEL_ATTRIBUTE: model})
    return ImportedSegmentation(node, found)


def center3DViews() -> None:
    """Turn all 3D views' centers to what is shown; without a main window there are none."""
    layoutManager = slicer.app.layoutManager()
    if layoutManager is None:
        return
    for index in range(layoutManager.threeDViewCount):
        layoutManager.threeDWidget(index).threeDView().resetFocalPoint()
