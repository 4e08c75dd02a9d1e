"""A MRML scene without the Slicer application, and CT volumes in a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from ..volumes.geometry import lps_to_ras
from ..volumes.volume import Volume


@dataclass(frozen=True)
class SceneEnvironment:
    """A scene and the logics that must live as long as it does."""

    scene: slicer.vtkMRMLScene
    application_logic: slicer.vtkSlicerApplicationLogic
    segmentations_logic: slicer.vtkSlicerSegmentationsModuleLogic


def create_scene() -> SceneEnvironment:
    """An empty scene in which segmentation nodes work as they do in Slicer, for use outside Slicer."""
    scene = slicer.vtkMRMLScene()
    application_logic = slicer.vtkSlicerApplicationLogic()
    application_logic.SetMRMLScene(scene)
    # This logic registers the rules that turn label maps into surfaces; without it no segment can be added.
    segmentations_logic = slicer.vtkSlicerSegmentationsModuleLogic()
    segmentations_logic.SetMRMLScene(scene)
    segmentations_logic.SetMRMLApplicationLogic(application_logic)
    application_logic.SetModuleLogic("Segmentations", segmentations_logic)
    return SceneEnvironment(scene, application_logic, segmentations_logic)


def volume_node(scene: slicer.vtkMRMLScene, volume: Volume, name: str = "CT") -> slicer.vtkMRMLScalarVolumeNode:
    """A new scalar volume node in `scene` with the voxels (copied) and the position of `volume`."""
    image = vtk.vtkImageData()
    fill_image(image, volume.array)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(ijk_to_ras_matrix(volume.affine))
    return node


def volume_of(node: slicer.vtkMRMLScalarVolumeNode) -> Volume:
    """The voxels and position of a volume node, before its parent transform if it has one.

    The array (z, y, x) is the node's own memory and of its scalar type: copy it before the node may change.
    """
    image, matrix = node.GetImageData(), vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    affine = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    flat = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    # The flip between RAS and LPS is its own inverse.
    return Volume(flat.reshape(image.GetDimensions()[::-1]), lps_to_ras(affine))


def fill_image(image: vtk.vtkImageData, array: np.ndarray, first_voxel: tuple[int, int, int] = (0, 0, 0)) -> None:
    """Copy `array` (z, y, x; uint8 or int16) into `image`; `first_voxel` is the index (x, y, z) of its first corner."""
    extent = [bound for start, size in zip(first_voxel, array.shape[::-1]) for bound in (start, start + size - 1)]
    image.SetExtent(extent)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))


def ijk_to_ras_matrix(affine: np.ndarray) -> vtk.vtkMatrix4x4:
    """The VTK matrix from voxel indices (x, y, z) to RAS mm of an `affine` (LPS, see `geometry`)."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(lps_to_ras(affine).ravel())
    return matrix
