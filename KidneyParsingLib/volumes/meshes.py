"""A label map as surfaces for 3D programs and printers: STL, OBJ or GLB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..sentences import texts_of
from .mesh import Mesh, surface_of
from .mesh_files import write_glb, write_obj, write_stl
from .output_files import filled_together
from .volume import LabelMap

_ = texts_of(__name__)

_WRITERS = {"stl": write_stl, "obj": write_obj, "glb": write_glb}
MESH_FORMATS = tuple(_WRITERS)


def export_meshes(label_map: LabelMap, folder: str | Path, format: str, replace: bool = False) -> list[Path]:
    """Write the surface of every segment that has voxels into `folder`, and return the files.

    `format` is stl (one file for each segment, named by its id), obj (`kidneys.obj` and `kidneys.mtl`) or glb
    (`kidneys.glb`). Coordinates are LPS in mm; a surface encloses the volume of its voxels. The folder is made if its
    parent exists. Raises InputError if there is nothing to write or a file would be replaced without `replace`.
    """
    volumes = label_map.volumes_ml()
    meshes = []
    for segment in label_map.segments:
        if ml := volumes[segment.id]:
            surface = surface_of(label_map.mask(segment), label_map.affine)
            look = segment.structure
            meshes.append(Mesh(segment.id, segment.name, look.color, look.opacity, ml, *surface))
    return write_meshes(meshes, folder, format, replace)


def write_meshes(meshes: Sequence[Mesh], folder: str | Path, format: str, replace: bool = False) -> list[Path]:
    """Write these meshes as `export_meshes` does."""
    if format not in _WRITERS:
        raise InputError(
            _("There is no mesh format {format!r}; choose from {formats}.").format(
                format=format, formats=", ".join(_WRITERS)
            )
        )
    if not meshes:
        raise InputError(_("There is no segment with voxels, so there is no surface to write."))
    with filled_together(Path(folder), replace) as scratch:
        _WRITERS[format](meshes, scratch)
        names = sorted(path.name for path in scratch.iterdir())
    return [Path(folder) / name for name in names]
