"""A triangle mesh of one segment, and how a mask becomes one with VTK."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..sentences import texts_of
from .geometry import spacing_of, voxel_ml

_ = texts_of(__name__)

# As Slicer's smoothing factor of 0.2: more would eat thin vessels (a tube of 3 voxels keeps 32 % with Slicer's 0.5).
PASS_BAND = 10 ** (-4 * 0.2)
ITERATIONS = 28
_VOLUME_STEPS = 20
_VOLUME_ERROR = 1e-3
# Of the smallest voxel side: the farthest that one step towards the voxels' volume moves the surface.
_LONGEST_STEP = 0.25


@dataclass(frozen=True)
class Mesh:
    """One segment's closed surface: `vertices` (n, 3) float64 in LPS mm and `triangles` (m, 3) int32, outward.

    `stem` is its name in files, `name` the one for people; `color` is RGB 0-255; `ml` the volume of its voxels.
    """

    stem: str
    name: str
    color: tuple[int, int, int]
    opacity: float
    ml: float
    vertices: np.ndarray
    triangles: np.ndarray

    def normals(self) -> np.ndarray:
        """Unit normals of the vertices, (n, 3) float64."""
        return _unit(_area_vectors(self.vertices, self.triangles))


def surface_of(mask: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3) in LPS mm and outward triangles (m, 3) around the true voxels of `mask` (z, y, x).

    The surface is smoothed and then moved along its normals until it encloses what the voxels do: smoothing alone
    thins tubes. A mask without voxels has no triangles.
    """
    box = tuple(_occupied(mask, axis) for axis in range(3))
    if not all(part.stop for part in box):
        return np.empty((0, 3)), np.empty((0, 3), np.int32)
    indices, triangles = _smoothed_surface(np.pad(mask[box], 1))
    vertices = (indices + [part.start - 1 for part in box[::-1]]) @ affine[:3, :3].T + affine[:3, 3]
    # A left-handed grid turns the surface inside out.
    if _enclosed(vertices, triangles) < 0:
        triangles = triangles[:, ::-1]
    volume = 1000 * voxel_ml(affine) * np.count_nonzero(mask[box])
    return _with_volume(vertices, triangles, volume, _LONGEST_STEP * spacing_of(affine).min()), triangles


def _occupied(mask: np.ndarray, axis: int) -> slice:
    found = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


def _smoothed_surface(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices in voxel indices (x, y, z) and triangles."""
    vtk, numpy_support = _vtk()
    image = vtk.vtkImageData()
    image.SetDimensions(mask.shape[::-1])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(mask.astype(np.uint8).ravel(), deep=True))
    edges = vtk.vtkDiscreteFlyingEdges3D()
    edges.SetInputData(image)
    edges.ComputeNormalsOff()
    edges.ComputeGradientsOff()
    edges.SetValue(0, 1)
    smoother = vtk.vtkWindowedSincPolyDataFilter()
    smoother.SetInputConnection(edges.GetOutputPort())
    smoother.SetNumberOfIterations(ITERATIONS)
    smoother.SetPassBand(PASS_BAND)
    smoother.BoundarySmoothingOff()
    smoother.FeatureEdgeSmoothingOff()
    smoother.NonManifoldSmoothingOn()
    smoother.NormalizeCoordinatesOn()
    smoother.Update()
    surface = smoother.GetOutput()
    corners = numpy_support.vtk_to_numpy(surface.GetPolys().GetConnectivityArray())
    vertices = numpy_support.vtk_to_numpy(surface.GetPoints().GetData()).astype(float)
    return vertices, corners.reshape(-1, 3).astype(np.int32)


def _vtk() -> tuple:
    try:
        import vtk
        from vtk.util import numpy_support
    except ImportError:
        raise InputError(_("Surfaces need VTK; install it with: pip install vtk")) from None
    return vtk, numpy_support


def _with_volume(vertices: np.ndarray, triangles: np.ndarray, volume: float, longest: float) -> np.ndarray:
    """The vertices moved along their normals, each by the same, until the surface encloses `volume` (mm3)."""
    for _ in range(_VOLUME_STEPS):
        missing = volume - _enclosed(vertices, triangles)
        if abs(missing) <= _VOLUME_ERROR * volume:
            break
        areas = _area_vectors(vertices, triangles)
        # The derivative of the volume when all vertices move outward by one mm.
        step = missing / (np.linalg.norm(areas, axis=1).sum() / 3)
        vertices = vertices + np.clip(step, -longest, longest) * _unit(areas)
    return vertices


def _corners(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    near = vertices - vertices.mean(axis=0)
    return near[triangles[:, 0]], near[triangles[:, 1]], near[triangles[:, 2]]


def _enclosed(vertices: np.ndarray, triangles: np.ndarray) -> float:
    """Enclosed volume in mm3, negative for a surface that is inside out."""
    a, b, c = _corners(vertices, triangles)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def _area_vectors(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """For every vertex the sum of its triangles' normals, each as long as the triangle's area in mm2, (n, 3)."""
    a, b, c = _corners(vertices, triangles)
    normals = np.cross(b - a, c - a) / 2
    flat = triangles.ravel()
    columns = [np.bincount(flat, np.repeat(normals[:, axis], 3), len(vertices)) for axis in range(3)]
    return np.stack(columns, axis=1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
