"""`kidneyparsing export`: a segmentation, perhaps edited, in the format that another program reads."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .arguments import structures_named
from .outputs import is_dicom, write_segments

if TYPE_CHECKING:
    from ..volumes.volume import LabelMap

MESH_FORMATS = ("stl", "obj", "glb")
_FILE_SUFFIXES = (".nii.gz", ".nii", ".dcm")


def add_export_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `export`."""
    about = "Write a segmentation as NIfTI, DICOM SEG or surfaces (docs/export.md)."
    parser = subparsers.add_parser("export", help="segmentation to NIfTI, DICOM or surfaces", description=about)
    parser.add_argument("segmentation", metavar="SEGMENTATION", help=".seg.nrrd that we or Slicer wrote")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help=".nii.gz, .nii, .dcm, or a folder")
    parser.add_argument(
        "--ct", metavar="CT", help="what was segmented: for .dcm its DICOM folder; gives .nii.gz its grid"
    )
    parser.add_argument("--structures", metavar="A,B", help="only these, for example tumor,artery")
    parser.add_argument("--format", choices=MESH_FORMATS, help="of the surfaces in a folder (default stl)")
    parser.add_argument("--replace", action="store_true", help="replace files of the same names in the folder")
    parser.set_defaults(run=run_export)


def run_export(arguments: argparse.Namespace) -> int:
    """Check the names, read, and write all or nothing; prints the files that were written."""
    output = Path(arguments.output)
    names = structures_named(arguments.structures)
    is_file = output.name.lower().endswith(_FILE_SUFFIXES) and not os.path.isdir(output)
    _check(arguments, output, is_file)
    label_map = _only(_read(arguments.segmentation), names)
    if is_file:
        if arguments.ct is not None and not is_dicom(output):
            label_map = _on_grid_of(arguments.ct, label_map)
        write_segments(label_map, arguments.ct, output)
        written = [output]
    else:
        from ..volumes.meshes import export_meshes

        written = export_meshes(label_map, output, arguments.format or MESH_FORMATS[0], arguments.replace)
    for path in written:
        print(f"written: {path}")
    return 0


def _check(arguments: argparse.Namespace, output: Path, is_file: bool) -> None:
    """Raise InputError for names that cannot go together, before any reading."""
    from ..volumes.writing import DICOM_SEG_SUFFIXES, LABEL_MAP_SUFFIXES, check_apart, check_writable

    if is_file and arguments.format:
        raise InputError(f"--format is for surfaces, which go into a folder; {output} is a file, so leave it out.")
    if not is_file:
        _check_folder(output)
        return
    if is_dicom(output):
        if arguments.ct is None:
            raise InputError("DICOM SEG refers to the CT's DICOM slices; name their folder with --ct.")
        from ..volumes.dicom_seg import check_dicom_seg

        check_dicom_seg(arguments.ct)
    check_writable(output, (*LABEL_MAP_SUFFIXES, *DICOM_SEG_SUFFIXES))
    check_apart([path for path in (arguments.segmentation, arguments.ct) if path is not None], [output])


def _check_folder(output: Path) -> None:
    if output.suffix and not os.path.isdir(output):
        kind = output.suffix[1:].lower()
        hint = f"-o {output.with_suffix('')} --format {kind}" if kind in MESH_FORMATS else "-o with a folder"
        raise InputError(
            f"{output} is no name that we write: files end in {', '.join(_FILE_SUFFIXES)}; for surfaces give {hint}."
        )


def _read(path: str) -> LabelMap:
    from ..volumes.writing import read_label_map

    return read_label_map(path)


def _on_grid_of(ct: str, label_map: LabelMap) -> LabelMap:
    """The label map on the whole grid of the CT: Slicer saves segments cropped."""
    from ..volumes.ct_grid import on_grid
    from ..volumes.reading import read_ct

    volume = read_ct(ct)
    array = on_grid(label_map, volume.array.shape, volume.affine)
    return replace(label_map, array=array, affine=volume.affine)


def _only(label_map: LabelMap, names: tuple[str, ...] | None) -> LabelMap:
    """The label map with only the segments of these structures (None: all)."""
    import numpy as np

    if names is None:
        return label_map
    kept = tuple(segment for segment in label_map.segments if segment.structure.name in names)
    is_kept = np.isin(np.arange(256), [segment.value for segment in kept])
    return replace(label_map, array=np.where(is_kept[label_map.array], label_map.array, 0), segments=kept)
