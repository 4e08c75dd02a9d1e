"""Segmentations of a scene as files for other programs, as they are now: with the user's edits, names and colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import slicer

from ..errors import InputError
from ..sentences import texts_of
from ..volumes.dicom_seg import write_dicom_seg
from ..volumes.meshes import MESH_FORMATS, write_meshes
from ..volumes.output_files import check_free, filled_together
from ..volumes.writing import write_label_map
from .segmentation_content import labelMapOnVolume, reviewedSegments, segmentMeshes

_ = texts_of(__name__)

FILE_KINDS = ("seg.nrrd", "nii.gz", "dcm", "mrb")
KINDS = (*FILE_KINDS, *MESH_FORMATS)
INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"
MODEL_ATTRIBUTE = "KidneyParsing.Model"


class DicomDatabase(Protocol):
    """What is needed of `slicer.dicomDatabase` (ctkDICOMDatabase)."""

    def fileForInstance(self, instanceUID: str) -> str:
        """The path of an instance's file, empty if the database has none."""


def exportSegmentation(
    segmentationNode: slicer.vtkMRMLSegmentationNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode | None,
    pathOrFolder: str | Path,
    kind: str,
    replace: bool = False,
    dicomDatabase: DicomDatabase | None = None,
    segmentIds: Sequence[str] | None = None,
) -> list[Path]:
    """Write a segmentation as it is now, and return the files: all of them, or none if anything fails.

    `kind` is seg.nrrd, nii.gz, dcm or mrb, for which `pathOrFolder` is a file's name that ends in it, or stl, obj or
    glb, for which it is a folder. `volumeNode` is the CT: nii.gz and dcm lie on its grid; dcm needs that it was loaded
    from the DICOM database (`slicer.dicomDatabase` unless one is given). mrb is the whole scene. `segmentIds` limits
    surfaces, nii.gz and dcm to these segments.

    Raises OutputExistsError if a file would be replaced and `replace` is off, InputError if it cannot be written.
    """
    path = Path(pathOrFolder)
    if kind in MESH_FORMATS:
        return write_meshes(segmentMeshes(segmentationNode, segmentIds), path, kind, replace)
    _checkFile(path, kind, replace)
    if kind == "seg.nrrd":
        _writeWhole(path, lambda target: _writeSegmentation(segmentationNode, target))
    elif kind == "mrb":
        _writeWhole(path, lambda target: _writeScene(segmentationNode.GetScene(), target))
    else:
        labelMap = labelMapOnVolume(segmentationNode, volumeNode, segmentIds)
        if kind == "nii.gz":
            write_label_map(labelMap, path)
        else:
            model = segmentationNode.GetAttribute(MODEL_ATTRIBUTE)
            reviewed = reviewedSegments(segmentationNode)
            write_dicom_seg(labelMap, sourceFiles(volumeNode, dicomDatabase), path, model, reviewed)
    return [path]


def sourceFiles(
    volumeNode: slicer.vtkMRMLScalarVolumeNode | None, dicomDatabase: DicomDatabase | None = None
) -> list[str]:
    """The DICOM files that a volume was loaded from. Raises InputError if it was not, or they are gone."""
    database = getattr(slicer, "dicomDatabase", None) if dicomDatabase is None else dicomDatabase
    instances = ((volumeNode and volumeNode.GetAttribute(INSTANCES_ATTRIBUTE)) or "").split()
    if not instances or database is None:
        raise InputError(
            _(
                "DICOM SEG refers to the CT's DICOM slices; load the CT from Slicer's DICOM database and segment it "
                "there."
            )
        )
    files = [database.fileForInstance(instance) for instance in instances]
    missing = sum(not (file and Path(file).is_file()) for file in files)
    if missing:
        raise InputError(
            _(
                "{missing} of the CT's {count} DICOM files are gone; import the series into Slicer's database again."
            ).format(missing=missing, count=len(files))
        )
    return files


def _checkFile(path: Path, kind: str, replace: bool) -> None:
    if kind not in KINDS:
        raise InputError(
            _("There is no kind of export {kind!r}; choose from {kinds}.").format(kind=kind, kinds=", ".join(KINDS))
        )
    if not path.name.lower().endswith(f".{kind}"):
        raise InputError(
            _("The name {path} does not fit what is to be written; end it in .{kind}.").format(path=path, kind=kind)
        )
    check_free(path, replace)


def _writeWhole(path: Path, write: Callable[[Path], bool]) -> None:
    """Have `write` make a file of this name in a temporary folder, then move it to its place."""
    if not path.parent.is_dir():
        raise InputError(
            _("There is no folder {parent} to write {name} into; make it first.").format(
                parent=path.parent, name=path.name
            )
        )
    with filled_together(path.parent, replace=True) as scratch:
        target = scratch / path.name
        if not write(target) or not target.is_file():
            raise InputError(
                _("{path} cannot be written (the disk may be full); choose another folder.").format(path=path)
            )


def _writeSegmentation(segmentationNode: slicer.vtkMRMLSegmentationNode, target: Path) -> bool:
    # Not added to the scene, so that the node's own file name stays as it is.
    storageNode = slicer.vtkMRMLSegmentationStorageNode()
    storageNode.SetFileName(str(target))
    return bool(storageNode.WriteData(segmentationNode))


def _writeScene(scene: slicer.vtkMRMLScene, target: Path) -> bool:
    # A scene without a URL would end the whole process.
    if scene.GetURL() is None:
        scene.SetURL("")
    return bool(scene.WriteToMRB(str(target)))
