"""What a segmentation node remembers of the run that made it, also in a saved scene."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import slicer

from KidneyParsingLib.sentences import records_in, with_sentences

_Kept = TypeVar("_Kept", list, dict)

MODEL_ATTRIBUTE = "KidneyParsing.Model"
_PLACES = "KidneyParsing.Places"
_SENTENCES = "KidneyParsing.Sentences"
_CONTRAST = "KidneyParsing.Contrast"
_FINGERPRINT = "KidneyParsing.Fingerprint"


def record(node: slicer.vtkMRMLSegmentationNode, model: str, places: Sequence[dict[str, Any]]) -> None:
    """Keep the model's name, the places to review, and what the segments are now."""
    node.SetAttribute(MODEL_ATTRIBUTE, model)
    node.SetAttribute(_PLACES, json.dumps(list(places)))
    # Their texts are English; beside them is what they are translated by.
    node.SetAttribute(_SENTENCES, json.dumps(records_in(list(places))))
    node.SetAttribute(_FINGERPRINT, fingerprint(node))


def placesOf(node: slicer.vtkMRMLSegmentationNode) -> list[dict[str, Any]]:
    """The places to review of a result, none for a segmentation of another origin."""
    places, sentences = _kept(node, _PLACES, []), _kept(node, _SENTENCES, {})
    return with_sentences(places, sentences)


def recordContrast(node: slicer.vtkMRMLSegmentationNode, contrast: Any) -> None:
    """Keep the contrast phase of the CT as it was measured in this result, a Contrast of `volumes.overview`."""
    node.SetAttribute(_CONTRAST, json.dumps({"phase": contrast.phase, "hu": dict(contrast.hu)}))


def contrastOf(node: slicer.vtkMRMLSegmentationNode) -> Any:
    """What `recordContrast` kept, None if nothing was."""
    from KidneyParsingLib.volumes.overview import Contrast

    try:
        kept = json.loads(node.GetAttribute(_CONTRAST) or "")
        return Contrast(str(kept["phase"]), {str(name): int(hu) for name, hu in kept["hu"].items()})
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def latestResultOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode | None:
    """The last result that was added for this CT and is still in its scene."""
    scene = volumeNode.GetScene()
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode", scene) if scene else []
    return next((node for node in reversed(nodes) if isResultOf(node, volumeNode)), None)


def isResultOf(node: slicer.vtkMRMLSegmentationNode, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Whether a run of this module made the segmentation of that CT."""
    return bool(node.GetAttribute(MODEL_ATTRIBUTE)) and volumeOf(node) is volumeNode


def volumeOf(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The CT on whose grid a segmentation lies, None if it has left the scene."""
    return node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())


def isEdited(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Whether someone has worked on a result: voxels, names, statuses, segments added or removed."""
    return node.GetAttribute(_FINGERPRINT) != fingerprint(node)


def fingerprint(node: slicer.vtkMRMLSegmentationNode) -> str:
    """A short text that changes with the segments; the same for the same voxels however a file has cropped them."""
    from KidneyParsingLib.mrml.review_views import statusOf

    segmentation = node.GetSegmentation()
    layerName = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    sums: dict[object, dict[int, list[int]]] = {}
    facts = []
    for segmentID in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(segmentID)
        layer = segment.GetRepresentation(layerName)
        if layer not in sums:
            # Segments share a layer as long as they do not overlap.
            sums[layer] = _voxelSums(layer)
        voxels = sums[layer].get(segment.GetLabelValue(), [0])
        facts.append([segmentID, segment.GetName(), statusOf(node, segmentID), *voxels])
    return f"{zlib.crc32(json.dumps(facts).encode()):08x}"


def _kept(node: slicer.vtkMRMLSegmentationNode, attribute: str, nothing: _Kept) -> _Kept:
    """What an attribute holds as JSON; `nothing` where it holds nothing of that type."""
    try:
        kept = json.loads(node.GetAttribute(attribute) or "null")
    except ValueError:
        return nothing
    return kept if isinstance(kept, type(nothing)) else nothing


def _voxelSums(layer: slicer.vtkOrientedImageData | None) -> dict[int, list[int]]:
    """By label value: count of voxels, and the sums of their indices and squared indices along z, y, x."""
    import numpy as np
    from vtk.util.numpy_support import vtk_to_numpy

    scalars = layer.GetPointData().GetScalars() if layer else None
    if scalars is None:
        return {}
    array = vtk_to_numpy(scalars).reshape(layer.GetDimensions()[::-1])
    where = np.nonzero(array)
    values = array[where]
    columns = [np.bincount(values)]
    for axis, index in enumerate(where):
        absolute = index + layer.GetExtent()[4 - 2 * axis]
        columns += [np.bincount(values, weights=absolute**power) for power in (1, 2)]
    table = np.stack(columns, axis=1).astype(np.int64)
    return {value: table[value].tolist() for value in np.flatnonzero(table[:, 0]).tolist()}
