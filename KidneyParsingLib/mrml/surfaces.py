"""The closed surfaces of segments: how they are made, how to get one, how to show them."""

from __future__ import annotations

import slicer
import vtk

# Slicer's own 0.5 leaves a third of a vessel of 3 voxels, 0.2 more than 90 %, and one value serves all segments.
SMOOTHING_FACTOR = 0.2


def create_surfaces(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Make the closed surfaces of all segments anew, and have Slicer use the same settings after every edit."""
    segmentation = node.GetSegmentation()
    rule = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule
    segmentation.SetConversionParameter(rule.GetSmoothingFactorParameterName(), str(SMOOTHING_FACTOR))
    if segmentation.GetNumberOfSegments():
        segmentation.CreateRepresentation(_surface_name(), True)


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


def _surface_name() -> str:
    return slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
