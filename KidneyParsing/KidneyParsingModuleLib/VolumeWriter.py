"""A volume node as a file for the engine."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _


def writeVolume(volumeNode: slicer.vtkMRMLScalarVolumeNode, path: str) -> None:
    """Write the voxels and their position, before any parent transform, without compression (the file lives briefly).

    Raises RuntimeError with a sentence if the node is empty or the file cannot be written.
    """
    if volumeNode.GetImageData() is None:
        raise RuntimeError(_("The volume {name} is empty.").format(name=volumeNode.GetName()))
    # A storage node of its own: the one of the volume must keep the user's file name.
    storageNode = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storageNode.SetFileName(path)
    storageNode.UseCompressionOff()
    if not storageNode.WriteData(volumeNode):
        raise RuntimeError(_("The volume could not be written to {path}; the disk may be full.").format(path=path))
