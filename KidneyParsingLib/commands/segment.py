"""`kidneyparsing segment`: a CT in, an editable segmentation out."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..inference.options import AUTO, BACKENDS, DEFAULT_MODEL, QUALITIES, REGIONS, Options
from ..review import write_places
from .arguments import options_from
from .console import Console, JsonConsole, TextConsole
from .outputs import (
    MAP_SUFFIXES,
    PICTURE_SUFFIXES,
    REVIEW_SUFFIXES,
    Extras,
    check_extras,
    check_output,
    folder_made,
    write_segments,
)

if TYPE_CHECKING:
    from ..volumes.volume import LabelMap, Volume


def add_segment_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `segment`."""
    parser = subparsers.add_parser("segment", help="segment one CT", description="Segment one CT.")
    parser.add_argument("ct", metavar="CT", help="file (.nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd) or DICOM folder")
    parser.add_argument("-o", "--output", metavar="OUT", help=".seg.nrrd (default), .nii.gz, .nii, .dcm, or a folder")
    parser.add_argument("--model", metavar="NAME", default=DEFAULT_MODEL, help=f"network (default {DEFAULT_MODEL})")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N or mps")
    parser.add_argument("--structures", metavar="A,B", help="keep only these, for example kidney,tumor")
    parser.add_argument(
        "--tta",
        action="store_true",
        help="average with a second view, mirrored or shifted (twice as long)",
    )
    parser.add_argument("--quality", default="default", choices=QUALITIES, help="speed against care")
    parser.add_argument("--region", default=AUTO, choices=REGIONS, help="auto: around the kidneys; or the whole scan")
    parser.add_argument("--overlap", type=float, metavar="SHARE", help="of windows, instead of one pass, 0 to 0.9")
    parser.add_argument("--backend", default=AUTO, choices=BACKENDS, help="what computes (auto: the fastest)")
    parser.add_argument("--raw", action="store_true", help="labels as the network gives them, without clean-up")
    parser.add_argument("--review", metavar="JSON", help="also write the places that are worth a look")
    parser.add_argument("--uncertainty", metavar="NIFTI", help="also write each voxel's uncertainty, percent")
    parser.add_argument("--render", metavar="PNG", help="also write a picture of the result in 3D")
    parser.add_argument("--json-progress", action="store_true", help="progress and result as JSON lines on stdout")
    parser.set_defaults(run=run_segment)


def run_segment(arguments: argparse.Namespace) -> int:
    """Check all that is cheap, then read, parse, and write every result or none."""
    options = options_from(arguments)
    output = check_output(arguments.ct, arguments.output)
    extras = check_extras(arguments.ct, output, arguments.render, arguments.review, arguments.uncertainty)
    console = JsonConsole() if arguments.json_progress else TextConsole()
    with console:
        volume, label_map = _parse(arguments.ct, options, console)
        console(1.0, "writing")
        _write(volume, label_map, output, extras, arguments)
    console.result(output, label_map, tuple(dict.fromkeys((*volume.notes, *label_map.notes))))
    return 0


def _parse(ct: str, options: Options, console: Console) -> tuple[Volume, LabelMap]:
    """The CT is read while the networks and what computes them are loaded, which takes about as long."""
    from ..allocator import keep_freed_memory
    from ..engine.long_call import LongCall
    from ..volumes.reading import read_ct

    keep_freed_memory()
    console(0.0, "loading the network")
    reading = LongCall(lambda: read_ct(ct))
    from ..inference.parser import KidneyParser

    reading.raise_if_failed()
    parser = KidneyParser(options, log=console.log)
    console(0.0, "reading")
    volume = reading.result(lambda: None)
    return volume, parser.parse(volume, console)


def _write(volume: Volume, label_map: LabelMap, output: Path, extras: Extras, arguments: argparse.Namespace) -> None:
    """Everything, or nothing: the extras go to temporary names until the segments are written."""
    from ..volumes.writing import replacing, write_volume

    with ExitStack() as results:
        results.enter_context(folder_made(output.parent))
        if extras.picture is not None:
            from ..mrml.render import render_png

            render_png(volume, label_map, results.enter_context(replacing(extras.picture, PICTURE_SUFFIXES)))
        if extras.review is not None:
            write_places(results.enter_context(replacing(extras.review, REVIEW_SUFFIXES)), label_map.places)
        if extras.uncertainty is not None:
            write_volume(label_map.uncertainty or _nothing_uncertain(label_map),
                         results.enter_context(replacing(extras.uncertainty, MAP_SUFFIXES)))  # fmt: skip
        write_segments(label_map, arguments.ct, output, arguments.model)


def _nothing_uncertain(label_map: LabelMap) -> Volume:
    """The uncertainty of a scan in which no kidney was found: none, on the scan's grid."""
    import numpy as np

    from ..volumes.volume import Volume

    return Volume(np.zeros(label_map.array.shape, np.int16), label_map.affine)
