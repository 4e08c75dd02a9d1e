"""The surface of a mask, smooth where the mask is thick and close to its voxels where it is thin.

Slicer's smoothing is a low-pass filter over the mesh. Strong enough to take away the terraces of thick slices, it
shrinks a vessel of three voxels to a thread (docs/display.md); so the mesh is filtered twice, and every point lies
between the two results by how thick the mask is there. Everything is in voxels (x, y, z), as Slicer's filter is.
"""

from __future__ import annotations

import numpy as np
import vtk
from scipy import ndimage
from vtk.util import numpy_support

from ..volumes.segmentation_header import SURFACE_PARAMETERS

# On Slicer's scale of smoothing factors, where 0.5 is its default.
LIGHT, STRONG = float(SURFACE_PARAMETERS["Smoothing factor"]), 0.5
# A mask is thick where a cube of so many voxels fits into it.
_THICK_VOXELS = 5
# Around it the weight goes from strong to light within so many blocks of 2 x 2 x 2 voxels.
_BLEND_BLOCKS = 3


def smooth_mesh(mask: np.ndarray) -> vtk.vtkPolyData:
    """Triangles around a mask (uint8 z, y, x of 0 and 1, outermost voxels 0) in voxel coordinates (x, y, z)."""
    mesh = _surface_nets(mask)
    if not mesh.GetNumberOfPoints():
        return mesh
    points = _points(mesh)
    weight = _thickness_weight(mask, points)
    strong = _points(_filtered(mesh, STRONG)) if weight.any() else points
    light = _points(_filtered(mesh, LIGHT)) if weight.min() < 1 else strong
    blended = light + weight[:, None] * (strong - light)
    mesh.GetPoints().SetData(numpy_support.numpy_to_vtk(blended, deep=True))
    # Only now: diagonals pull thin tubes together.
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputData(mesh)
    triangles.Update()
    return triangles.GetOutput()


def _surface_nets(mask: np.ndarray) -> vtk.vtkPolyData:
    """The mask's voxel faces as squares; unlike marching cubes, surface nets keep the whole volume of thin tubes."""
    image = vtk.vtkImageData()
    image.SetDimensions(mask.shape[::-1])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(np.ascontiguousarray(mask).ravel(), deep=True))
    nets = vtk.vtkSurfaceNets3D()
    nets.SetInputData(image)
    nets.SetValue(0, 1)
    nets.SmoothingOff()
    nets.SetOutputMeshTypeToQuads()
    nets.Update()
    mesh = vtk.vtkPolyData()
    mesh.SetPoints(nets.GetOutput().GetPoints())
    mesh.SetPolys(nets.GetOutput().GetPolys())
    return mesh


def _filtered(mesh: vtk.vtkPolyData, factor: float) -> vtk.vtkPolyData:
    """The mesh after Slicer's filter with a smoothing factor (see vtkBinaryLabelmapToClosedSurfaceConversionRule)."""
    smoother = vtk.vtkWindowedSincPolyDataFilter()
    smoother.SetInputData(mesh)
    smoother.SetNumberOfIterations(round(20 + 40 * factor))
    smoother.SetPassBand(10.0 ** (-4.0 * factor))
    smoother.BoundarySmoothingOff()
    smoother.FeatureEdgeSmoothingOff()
    smoother.NonManifoldSmoothingOn()
    smoother.NormalizeCoordinatesOn()
    smoother.Update()
    return smoother.GetOutput()


def _thickness_weight(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """For every point 1 within and around thick parts of the mask, 0 at thin ones, a ramp between."""
    cores = _blocks(ndimage.minimum_filter(mask, _THICK_VOXELS, mode="constant"))
    around = ndimage.maximum_filter(cores, _THICK_VOXELS, mode="constant")
    share = ndimage.uniform_filter(around.astype(np.float32), _BLEND_BLOCKS, mode="nearest")
    # A block's middle lies half a voxel behind its first voxel's.
    weight = ndimage.map_coordinates(share, ((points - 0.5) / 2).T[::-1], order=1, mode="nearest")
    # Running sums leave specks of rounding behind that would cost a needless pass of the filter.
    return np.clip(np.round(weight, 4), 0.0, 1.0)


def _blocks(mask: np.ndarray) -> np.ndarray:
    """uint8 array of half the size: 1 where any of 2 x 2 x 2 voxels is 1."""
    for axis in range(3):
        first, second = (mask[(slice(None),) * axis + (slice(start, None, 2),)] for start in (0, 1))
        # The last voxel of an odd number has no partner, and is air.
        first = first[(slice(None),) * axis + (slice(second.shape[axis]),)]
        mask = first | second
    return mask


def _points(mesh: vtk.vtkPolyData) -> np.ndarray:
    return numpy_support.vtk_to_numpy(mesh.GetPoints().GetData())
