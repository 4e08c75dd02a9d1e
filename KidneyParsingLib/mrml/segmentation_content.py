"""What a segmentation node holds now, read back for export: label map on the CT's grid, surfaces, who touched it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from ..anatomy import NUM_CLASSES, SEGMENTS, SIDE_CODES, TISSUE, Code, Segment, Structure, segment
from ..errors import InputError
from ..sentences import texts_of
from ..volumes.geometry import lps_to_ras, voxel_ml
from ..volumes.mesh import Mesh, surface_of
from ..volumes.volume import LabelMap

_ = texts_of(__name__)

# The label of the first structure that is not ours; with one for every segment they must stay below 256.
_FIRST_FOREIGN_LABEL = NUM_CLASSES
_MOST_SEGMENTS = 255 - NUM_CLASSES
_NUMBERED = re.compile(r"(\w+?)_(\d+)")


def labelMapOnVolume(
    segmentationNode: slicer.vtkMRMLSegmentationNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode | None,
    segmentIds: Sequence[str] | None = None,
) -> LabelMap:
    """The node's segments (`segmentIds`, or all) with voxels on the grid of `volumeNode`, ignoring its transform.

    Structures of segments that the user added have the labels after ours, in the node's order. Where segments overlap
    the later one wins. Raises InputError without a volume, or for more segments than a label map can hold.
    """
    if volumeNode is None or volumeNode.GetImageData() is None:
        raise InputError(_("This export lies on the CT's voxels; choose the CT that was segmented."))
    segments = _segmentsOf(segmentationNode, segmentIds)
    if len(segments) > _MOST_SEGMENTS:
        raise InputError(_("There are more than {most} segments; choose fewer of them.").format(most=_MOST_SEGMENTS))
    ids, values = vtk.vtkStringArray(), vtk.vtkIntArray()
    for id, item in segments.items():
        ids.InsertNextValue(id)
        values.InsertNextValue(item.value)
    image = slicer.vtkOrientedImageData()
    slicer.vtkSlicerSegmentationsModuleLogic.GenerateMergedLabelmapInReferenceGeometry(
        segmentationNode, volumeNode, ids, slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY, image, values
    )
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return LabelMap(_arrayOf(image).astype(np.uint8), lps_to_ras(_numpy(matrix)), tuple(segments.values()))


def segmentMeshes(
    segmentationNode: slicer.vtkMRMLSegmentationNode, segmentIds: Sequence[str] | None = None
) -> list[Mesh]:
    """The surfaces of the node's segments (`segmentIds`, or all) with voxels: LPS mm, in the world.

    They are made anew from the voxels, as Slicer's own surfaces lose a part of thin vessels.
    """
    meshes = []
    for id, item in _segmentsOf(segmentationNode, segmentIds).items():
        image = slicer.vtkOrientedImageData()
        segmentationNode.GetBinaryLabelmapRepresentation(id, image)
        mask, affine = _croppedMask(image)
        if mask.any():
            vertices, triangles = surface_of(mask, affine)
            ml = voxel_ml(affine) * np.count_nonzero(mask)
            look = item.structure
            vertices = _inWorld(segmentationNode, vertices)
            meshes.append(Mesh(_stem(item, meshes), item.name, look.color, look.opacity, ml, vertices, triangles))
    return meshes


def reviewedSegments(segmentationNode: slicer.vtkMRMLSegmentationNode) -> frozenset[str]:
    """Ids of segments that a person has edited or judged, by Slicer's segment status."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segmentation = segmentationNode.GetSegmentation()
    return frozenset(
        id
        for id in segmentation.GetSegmentIDs()
        if logic.GetSegmentStatus(segmentation.GetSegment(id)) != logic.NotStarted
    )


def _segmentsOf(node: slicer.vtkMRMLSegmentationNode, ids: Sequence[str] | None) -> dict[str, Segment]:
    """By id: what `anatomy` says of the segment, or its terminology, under the name and look that it has now.

    Values are 1, 2, ... in the node's order: those of `anatomy` need not be free beside segments of the user's.
    """
    _requireVoxels(node)
    display = node.GetDisplayNode()
    found: dict[str, Segment] = {}
    foreign = 0
    for id in node.GetSegmentation().GetSegmentIDs():
        if ids is not None and id not in ids:
            continue
        entry = node.GetSegmentation().GetSegment(id)
        item = _known(id)
        if item is None:
            item = _foreign(id, entry, _FIRST_FOREIGN_LABEL + foreign)
            foreign += 1
        color = tuple(round(255 * channel) for channel in entry.GetColor())
        opacity = display.GetSegmentOpacity3D(id) if display else item.structure.opacity
        look = replace(item.structure, color=color, opacity=opacity)
        found[id] = replace(item, name=entry.GetName(), value=len(found) + 1, structure=look)
    return found


def _requireVoxels(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Segments that came as surfaces get voxels beside them."""
    name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    segmentation = node.GetSegmentation()
    if segmentation.GetNumberOfSegments() and not segmentation.CreateRepresentation(name):
        raise InputError(
            _("The segments of {name} have no voxels and cannot be given any; export the scene.").format(
                name=node.GetName()
            )
        )


def _known(id: str) -> Segment | None:
    """The segment of `anatomy` with this id, a further tumor included."""
    if id in {item.id for item in SEGMENTS}:
        return segment(id)
    numbered = _NUMBERED.fullmatch(id)
    if numbered and numbered[1] in {item.id for item in SEGMENTS if item.structure.plural}:
        return replace(segment(numbered[1]), id=id)
    return None


def _foreign(id: str, entry: slicer.vtkSegment, label: int) -> Segment:
    """A segment that the user added, with the codes of its terminology; tissue where it has none."""
    tag = vtk.reference("")
    entry.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), tag)
    parts = [_code(part) for part in f"{tag}~~~~~~".split("~")[:7]]
    category, kind, modifier, region = parts[1] or TISSUE, parts[2] or TISSUE, parts[3], parts[5]
    side = next((side for side, code in SIDE_CODES.items() if code == modifier), None)
    look = Structure(id, label, category, kind, (128, 128, 128), 1.0, region)
    return Segment(id, entry.GetName(), label, look, side)


def _code(text: str) -> Code | None:
    """`scheme^value^meaning` of a terminology entry."""
    parts = text.split("^")
    return Code(parts[1], parts[2], parts[0]) if len(parts) == 3 and all(parts) else None


def _stem(item: Segment, others: Sequence[Mesh]) -> str:
    """A name for files and materials that no other mesh has: the id of one of ours, else made of the name."""
    stem = item.id if _known(item.id) else re.sub(r"[^\w.-]+", "_", item.name).strip("._") or "segment"
    taken = {mesh.stem.lower() for mesh in others}
    number = 2
    result = stem
    while result.lower() in taken:
        result, number = f"{stem}_{number}", number + 1
    return result


def _arrayOf(image: vtk.vtkImageData) -> np.ndarray:
    """The voxels (z, y, x), sharing memory."""
    scalars = image.GetPointData().GetScalars()
    return numpy_support.vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])


def _croppedMask(image: slicer.vtkOrientedImageData) -> tuple[np.ndarray, np.ndarray]:
    """The voxels above 0 (z, y, x) of a segment's own label map and their affine (LPS)."""
    if min(image.GetDimensions()) < 1 or image.GetPointData().GetScalars() is None:
        return np.zeros((1, 1, 1), bool), np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_ras = _numpy(matrix)
    first = np.array(image.GetExtent()[::2])
    to_ras[:3, 3] += to_ras[:3, :3] @ first
    return _arrayOf(image) > 0, lps_to_ras(to_ras)


def _inWorld(node: slicer.vtkMRMLSegmentationNode, vertices: np.ndarray) -> np.ndarray:
    """LPS vertices after the node's parent transform, which may bend."""
    parent = node.GetParentTransformNode()
    if parent is None:
        return vertices
    to_world = vtk.vtkGeneralTransform()
    parent.GetTransformToWorld(to_world)
    flip = np.array([-1.0, -1.0, 1.0])
    points, moved = vtk.vtkPoints(), vtk.vtkPoints()
    points.SetDataTypeToDouble()
    moved.SetDataTypeToDouble()
    points.SetData(numpy_support.numpy_to_vtk(vertices * flip, deep=True))
    to_world.TransformPoints(points, moved)
    return numpy_support.vtk_to_numpy(moved.GetData()).copy() * flip


def _numpy(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
