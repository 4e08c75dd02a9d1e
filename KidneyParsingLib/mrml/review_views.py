"""Which structures the 3D views show, and how opaque; the rows of a list of segments; what a reviewer thinks of each.

Functions with Slicer's way of naming are called by the Slicer module; they use MRML only, so that they work without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from ..anatomy import STRUCTURES
from .segment_ids import structure_of
from .surfaces import closed_surface

ACCEPTED = "accepted"
NEEDS_WORK = "needs work"


@dataclass(frozen=True)
class View:
    """A choice of structures for 3D: `opacity` by structure name, a structure that is not named is hidden."""

    name: str
    opacity: Mapping[str, float]


VIEWS: tuple[View, ...] = (
    View("Surgeon", {entry.name: entry.opacity for entry in STRUCTURES}),
    View("Vessels", {"artery": 1.0, "vein": 1.0, "kidney": 0.15, "tumor": 0.35}),
    View("Tumor", {"tumor": 1.0, "cyst": 0.6, "kidney": 0.25, "artery": 0.35, "vein": 0.25, "ureter": 0.35}),
    View("Collecting system", {"ureter": 1.0, "kidney": 0.2, "tumor": 0.5, "cyst": 0.5}),
)


@dataclass(frozen=True)
class SegmentRow:
    """One line of the list of segments: `color` is RGB 0 to 1; `ml` is None where it was not counted."""

    id: str
    name: str
    color: tuple[float, float, float]
    visible: bool
    opacity: float
    ml: float | None
    status: str


def applyView(segmentationNode: slicer.vtkMRMLSegmentationNode, name: str) -> None:
    """Show in 3D what the view of this name shows; slices keep every segment, and segments of the user's own stay.

    Raises KeyError if there is no such view.
    """
    opacity = {view.name: view.opacity for view in VIEWS}[name]
    display = segmentationNode.GetDisplayNode()
    with slicer.util.NodeModify(display):
        for segmentId in segmentationNode.GetSegmentation().GetSegmentIDs():
            structure = structure_of(segmentId)
            if structure is None:
                continue
            display.SetSegmentVisibility(segmentId, True)
            display.SetSegmentVisibility3D(segmentId, structure.name in opacity)
            if structure.name in opacity:
                display.SetSegmentOpacity3D(segmentId, opacity[structure.name])


def setSegmentVisible(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, visible: bool) -> None:
    """Show or hide one segment in 3D and on slices, as the eye in Slicer's own tables does."""
    display = segmentationNode.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetSegmentVisibility(segmentId, visible)
        if visible:
            # A view may have taken the segment out of 3D only.
            display.SetSegmentVisibility3D(segmentId, True)


def setSegmentOpacity(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, opacity: float) -> None:
    """Set one segment's opacity in 3D, 0 to 1."""
    segmentationNode.GetDisplayNode().SetSegmentOpacity3D(segmentId, min(max(float(opacity), 0.0), 1.0))


def segmentRows(
    segmentationNode: slicer.vtkMRMLSegmentationNode, volumes_ml: Mapping[str, float] | None = None
) -> list[SegmentRow]:
    """The node's segments in their order; `volumes_ml` by segment id, counted from the voxels if it is left out."""
    counted = segmentVolumesMl(segmentationNode) if volumes_ml is None else volumes_ml
    ids = segmentationNode.GetSegmentation().GetSegmentIDs()
    return [_row(segmentationNode, segmentId, counted.get(segmentId)) for segmentId in ids]


def segmentVolumesMl(segmentationNode: slicer.vtkMRMLSegmentationNode) -> dict[str, float]:
    """Volume in ml of every segment as it is now, edits included, counted in voxels; 0 for an empty one. Segments that
    have no voxels to count, such as surfaces from a file, are left out."""
    segmentation = segmentationNode.GetSegmentation()
    counts: dict[object, np.ndarray] = {}
    volumes = {}
    for segmentId in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(segmentId)
        layer = segment.GetRepresentation(slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName())
        if layer is None:
            continue
        if layer not in counts:
            counts[layer] = _valueCounts(layer)
        value = segment.GetLabelValue()
        count = counts[layer][value] if value < len(counts[layer]) else 0
        volumes[segmentId] = float(count) * float(np.prod(layer.GetSpacing())) / 1000 if count else 0.0
    return volumes


def setStatus(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, status: str) -> None:
    """Store what the reviewer thinks of a segment: "", "accepted" or "needs work".

    It is Slicer's own segment status (completed, flagged), so that Segment Editor shows it and files keep it.
    Raises KeyError for another status or an unknown segment.
    """
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    value = {"": logic.NotStarted, ACCEPTED: logic.Completed, NEEDS_WORK: logic.Flagged}[status]
    logic.SetSegmentStatus(_segment(segmentationNode, segmentId), value)


def statusOf(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str) -> str:
    """What `setStatus` stored: "", "accepted" or "needs work". Raises KeyError for an unknown segment."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    words = {logic.Completed: ACCEPTED, logic.Flagged: NEEDS_WORK}
    return words.get(logic.GetSegmentStatus(_segment(segmentationNode, segmentId)), "")


def resultBounds(segmentationNode: slicer.vtkMRMLSegmentationNode) -> tuple[float, ...] | None:
    """Bounds of the surfaces (RAS mm, world): left, right, posterior, anterior, inferior, superior; None if empty."""
    box = vtk.vtkBoundingBox()
    for segmentId in segmentationNode.GetSegmentation().GetSegmentIDs():
        surface = closed_surface(segmentationNode, segmentId)
        ends = surface.GetBounds()
        for corner in product(ends[:2], ends[2:4], ends[4:]) if surface.GetNumberOfPoints() else ():
            world = [0.0, 0.0, 0.0]
            segmentationNode.TransformPointToWorld(corner, world)
            box.AddPoint(world)
    if not box.IsValid():
        return None
    bounds = [0.0] * 6
    box.GetBounds(bounds)
    return tuple(bounds)


def _row(node: slicer.vtkMRMLSegmentationNode, segmentId: str, ml: float | None) -> SegmentRow:
    display, segment = node.GetDisplayNode(), node.GetSegmentation().GetSegment(segmentId)
    visible = display.GetSegmentVisibility(segmentId) and display.GetSegmentVisibility3D(segmentId)
    opacity = display.GetSegmentOpacity3D(segmentId)
    status = statusOf(node, segmentId)
    return SegmentRow(segmentId, segment.GetName(), tuple(segment.GetColor()), bool(visible), opacity, ml, status)


def _segment(node: slicer.vtkMRMLSegmentationNode, segmentId: str) -> slicer.vtkSegment:
    segment = node.GetSegmentation().GetSegment(segmentId)
    if segment is None:
        raise KeyError(segmentId)
    return segment


def _valueCounts(layer: slicer.vtkOrientedImageData) -> np.ndarray:
    """How many voxels of a layer have each value from 0."""
    scalars = layer.GetPointData().GetScalars()
    if scalars is None or not scalars.GetNumberOfTuples():
        return np.zeros(1, int)
    planes = numpy_support.vtk_to_numpy(scalars).reshape(layer.GetDimensions()[2], -1)
    # Plane by plane: counting takes eight bytes a voxel.
    size = int(planes.max()) + 1
    return sum((np.bincount(plane, minlength=size) for plane in planes), np.zeros(size, int))
