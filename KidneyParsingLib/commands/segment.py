"""`kidneyparsing segment`: a CT in, an editable segmentation out."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..inference.options import DEFAULT_MODEL, Options
from .arguments import options_from
from .console import Console, JsonConsole, TextConsole
from .outputs import PICTURE_SUFFIXES, check_output, check_picture, folder_made

if TYPE_CHECKING:
    from ..volumes.volume import LabelMap, Volume


def add_segment_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `segment`."""
    parser = subparsers.add_parser("segment", help="segment one CT", description="Segment one CT.")
    parser.add_argument("ct", metavar="CT", help="file (.nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd) or DICOM folder")
    parser.add_argument("-o", "--output", metavar="OUT", help=".seg.nrrd (default), .nii.gz, .nii, or a folder")
    parser.add_argument("--model", metavar="NAME", default=DEFAULT_MODEL, help=f"network (default {DEFAULT_MODEL})")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N or mps")
    parser.add_argument("--structures", metavar="A,B", help="keep only these, for example kidney,tumor")
    parser.add_argument(
        "--tta",
        action="store_true",
        help="average with the mirrored copy (twice as long); not for models that tell artery from vein",
    )
    parser.add_argument("--render", metavar="PNG", help="also write a picture of the result in 3D")
    parser.add_argument("--json-progress", action="store_true", help="progress and result as JSON lines on stdout")
    parser.set_defaults(run=run_segment)


def run_segment(arguments: argparse.Namespace) -> int:
    """Check all that is cheap, then read, parse, and write every result or none."""
    options = options_from(arguments)
    output = check_output(arguments.ct, arguments.output)
    picture = check_picture(arguments.render)
    console = JsonConsole() if arguments.json_progress else TextConsole()
    with console:
        volume, label_map = _parse(arguments.ct, options, console)
        console(1.0, "writing")
        _write(volume, label_map, output, picture)
    console.result(output, label_map, tuple(dict.fromkeys((*volume.notes, *label_map.notes))))
    return 0


def _parse(ct: str, options: Options, console: Console) -> tuple[Volume, LabelMap]:
    from ..volumes.reading import read_ct

    console(0.0, "reading")
    volume = read_ct(ct)
    from ..inference.parser import KidneyParser

    return volume, KidneyParser(options).parse(volume, console)


def _write(volume: Volume, label_map: LabelMap, output: Path, picture: Path | None) -> None:
    from ..volumes.writing import replacing, write_label_map

    with ExitStack() as results:
        results.enter_context(folder_made(output.parent))
        if picture is not None:
            from ..mrml.render import render_png

            temporary = results.enter_context(replacing(picture, PICTURE_SUFFIXES))
            render_png(volume, label_map, temporary)
        write_label_map(label_map, output)
