"""The closed surfaces of segments: how they are made, how to get one, how to show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import slicer
import vtk
from scipy import ndimage
from vtk.util import numpy_support

from .smoothing import LIGHT, smooth_mesh


def create_surfaces(node: slicer.vtkMRMLSegmentationNode, segment_ids: Iterable[str] | None = None) -> None:
    """Make the closed surfaces of all segments, or of some, anew.

    After an edit Slicer itself makes the segment's surface with the light smoothing that is set here for the whole
    node: nothing thin is lost, but terraces show until this function is called again.
    """
    segmentation = node.GetSegmentation()
    _set_conversion(segmentation)
    boxes: dict[object, list] = {}
    for segment_id in segmentation.GetSegmentIDs() if segment_ids is None else segment_ids:
        segment = segmentation.GetSegment(segment_id)
        layer = segment.GetRepresentation(_labelmap_name())
        if layer not in boxes:
            boxes[layer] = ndimage.find_objects(_voxels(layer))
        _replace(segmentation, segment_id, _surface(layer, segment.GetLabelValue(), boxes[layer]))
    segmentation.InvokeEvent(slicer.vtkSegmentation.ContainedRepresentationNamesModified)


def closed_surface(node: slicer.vtkMRMLSegmentationNode, segment_id: str) -> vtk.vtkPolyData:
    """A copy of one segment's surface, in RAS mm before the node's parent transform, if it has one.

    Makes the surfaces if the node has none. Raises KeyError if there is no segment with this id.
    """
    if not node.GetSegmentation().GetSegment(segment_id):
        raise KeyError(segment_id)
    if not node.GetSegmentation().ContainsRepresentation(_surface_name()):
        create_surfaces(node)
    surface = vtk.vtkPolyData()
    node.GetClosedSurfaceRepresentation(segment_id, surface)
    return surface


def show_3d(node: slicer.vtkMRMLSegmentationNode, visible: bool = True) -> None:
    """Show the surfaces of all segments in the 3D views, or hide them; needs the node's display node."""
    if visible and not node.GetSegmentation().ContainsRepresentation(_surface_name()):
        create_surfaces(node)
    display = node.GetDisplayNode()
    display.SetPreferredDisplayRepresentationName3D(_surface_name())
    display.SetVisibility3D(visible)


def _set_conversion(segmentation: slicer.vtkSegmentation) -> None:
    rule = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule
    # Surface nets, as marching cubes cut every edge off and lose a tenth of a vessel of 3 voxels before any smoothing.
    settings: Mapping[str, str] = {
        rule.GetConversionMethodParameterName(): "1",
        rule.GetSmoothingFactorParameterName(): str(LIGHT),
        rule.GetSurfaceNetInternalSmoothingParameterName(): "0",
        rule.GetJointSmoothingParameterName(): "0",
        rule.GetDecimationFactorParameterName(): "0.0",
    }
    for name, value in settings.items():
        segmentation.SetConversionParameter(name, value)


def _replace(segmentation: slicer.vtkSegmentation, segment_id: str, surface: vtk.vtkPolyData) -> None:
    old = segmentation.GetSegment(segment_id).GetRepresentation(_surface_name())
    if old is None:
        segmentation.GetSegment(segment_id).AddRepresentation(_surface_name(), surface)
        return
    # In place: views that see a segment without its surface would make all of them anew, with Slicer's own filter.
    old.DeepCopy(surface)
    segmentation.InvokeEvent(slicer.vtkSegmentation.RepresentationModified, segment_id)


def _surface(layer: slicer.vtkOrientedImageData | None, value: int, boxes: list) -> vtk.vtkPolyData:
    """The surface of one value of a layer, in RAS mm, with normals; empty if no voxel has it."""
    box = boxes[value - 1] if 0 < value <= len(boxes) else None
    if box is None:
        return vtk.vtkPolyData()
    mesh = smooth_mesh(np.pad((_voxels(layer)[box] == value).view(np.uint8), 1))
    extent = layer.GetExtent()
    first = [part.start - 1 + extent[2 * axis] for axis, part in enumerate(box[::-1])]
    return _with_normals(_placed(mesh, layer, first))


def _placed(mesh: vtk.vtkPolyData, layer: slicer.vtkOrientedImageData, first: list[int]) -> vtk.vtkPolyData:
    """The mesh, in voxels from the voxel `first` of the layer, in RAS mm."""
    matrix = vtk.vtkMatrix4x4()
    layer.GetImageToWorldMatrix(matrix)
    to_ras = vtk.vtkTransform()
    to_ras.SetMatrix(matrix)
    to_ras.Translate(first)
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetInputData(mesh)
    placed.SetTransform(to_ras)
    if matrix.Determinant() > 0:
        placed.Update()
        return placed.GetOutput()
    # A mirrored grid turns the triangles inside out.
    outwards = vtk.vtkReverseSense()
    outwards.SetInputConnection(placed.GetOutputPort())
    outwards.Update()
    return outwards.GetOutput()


def _with_normals(mesh: vtk.vtkPolyData) -> vtk.vtkPolyData:
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputData(mesh)
    normals.SplittingOff()
    normals.ConsistencyOff()
    normals.Update()
    return normals.GetOutput()


def _voxels(layer: slicer.vtkOrientedImageData | None) -> np.ndarray:
    """The layer's own voxels (z, y, x), none if it is empty."""
    scalars = layer.GetPointData().GetScalars() if layer else None
    if scalars is None:
        return np.zeros((0, 0, 0), np.uint8)
    return numpy_support.vtk_to_numpy(scalars).reshape(layer.GetDimensions()[::-1])


def _labelmap_name() -> str:
    return slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()


def _surface_name() -> str:
    return slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
