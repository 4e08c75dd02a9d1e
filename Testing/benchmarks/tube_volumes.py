"""What surfaces leave of thin tubes: mesh volume over voxel volume, the worst of six directions and four positions.

python Testing/benchmarks/tube_volumes.py
"""

from __future__ import annotations

import itertools

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from KidneyParsingLib.mrml.smoothing import LIGHT, smooth_mesh

DIAMETERS_MM = (1.6, 2.4, 4.0, 8.0)
SLICES_MM = (0.8, 2.5, 5.0)
PIXEL_MM = 0.8
HALF_LENGTH_MM = 25.0
DIRECTIONS = ((1, 0, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (1, 0.7, 0.5), (0.3, 0.2, 1))
# Slicer's conversion method (0 flying edges, 1 surface nets) and smoothing factor; None is ours.
METHODS = {
    "Slicer's default": ("0", 0.5),
    "flying edges, 0.2": ("0", 0.2),
    "surface nets, 0.5": ("1", 0.5),
    f"surface nets, {LIGHT} (after an edit)": ("1", LIGHT),
    "ours": None,
}


def tube(direction: tuple[float, ...], diameter: float, slice_mm: float, shift: np.ndarray) -> np.ndarray:
    """Mask (uint8 z, y, x) of a straight tube, moved by parts of a voxel (x, y, z), with air around it."""
    spacing, unit = np.array((PIXEL_MM, PIXEL_MM, slice_mm)), np.array(direction) / np.linalg.norm(direction)
    size = 8 + ((2 * np.abs(unit) * HALF_LENGTH_MM + diameter) / spacing).astype(int)
    z, y, x = np.indices(size[::-1])
    positions = (np.stack([x, y, z], axis=-1) - (size - 1) / 2 + shift) * spacing
    along = positions @ unit
    across = np.linalg.norm(positions - along[..., None] * unit, axis=-1)
    return ((across <= diameter / 2) & (np.abs(along) <= HALF_LENGTH_MM)).astype(np.uint8)


def slicers_mesh(mask: np.ndarray, method: str, factor: float) -> vtk.vtkPolyData:
    """The surface as Slicer's own conversion makes it, in voxels."""
    rule = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule()
    rule.SetConversionParameter(rule.GetConversionMethodParameterName(), method)
    rule.SetConversionParameter(rule.GetSmoothingFactorParameterName(), str(factor))
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(mask.shape[::-1])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(mask.ravel(), deep=True))
    segment = slicer.vtkSegment()
    segment.AddRepresentation(slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName(), image)
    rule.Convert(segment)
    return segment.GetRepresentation(slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName())


def kept(mask: np.ndarray, method: tuple[str, float] | None) -> float:
    """Volume of the mesh, of the voxels' volume."""
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputData(smooth_mesh(mask) if method is None else slicers_mesh(mask, *method))
    mass = vtk.vtkMassProperties()
    mass.SetInputConnection(triangles.GetOutputPort())
    return mass.GetVolume() / mask.sum()


def main() -> None:
    shifts = [np.zeros(3), *np.random.default_rng(1).uniform(-0.5, 0.5, (3, 3))]
    print(f"| slices | diameter | {' | '.join(METHODS)} |\n|{'---|' * (len(METHODS) + 2)}")
    for slice_mm, diameter in itertools.product(SLICES_MM, DIAMETERS_MM):
        masks = [tube(d, diameter, slice_mm, shift) for d, shift in itertools.product(DIRECTIONS, shifts)]
        worst = [min(kept(mask, method) for mask in masks if mask.any()) for method in METHODS.values()]
        print(f"| {slice_mm} mm | {diameter} mm | {' | '.join(f'{value:.2f}' for value in worst)} |")


if __name__ == "__main__":
    main()
