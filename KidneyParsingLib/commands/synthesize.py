"""`kidneyparsing synthesize`: made CT with truth, or a store of made anatomies to train on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..synthesis.anatomy_builder import Atlases


def add_synthesize_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `synthesize`."""
    parser = subparsers.add_parser("synthesize", help="make CT with known truth", description="Make CT with truth.")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder for imagesTr/ and labelsTr/ (nnU-Net's layout)")
    parser.add_argument("--n", type=int, default=1, help="how many (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first; the others follow")
    parser.add_argument("--phase", choices=("none", "arterial", "portal", "excretory"), help="default: any")
    parser.add_argument("--anatomies", action="store_true", help="make anatomies to train on, not scans")
    parser.add_argument("--spl", type=Path, required=True, metavar="FOLDER", help="the SPL abdominal atlas")
    parser.add_argument("--kidneys", type=Path, metavar="FOLDER", help="kidney atlas; without it the SPL kidneys serve")
    parser.set_defaults(run=run_synthesize)


def run_synthesize(arguments: argparse.Namespace) -> int:
    """Make the scans or anatomies, one line each; anatomies that exist are kept, scans are made again."""
    from ..synthesis.anatomy_builder import Atlases

    atlases = Atlases(arguments.spl, arguments.kidneys)
    seeds = range(arguments.seed, arguments.seed + arguments.n)
    (_make_anatomies if arguments.anatomies else _make_scans)(arguments, atlases, seeds)
    return 0


def _make_folder(folder: Path) -> None:
    from ..errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be made ({error.strerror}); choose another.") from error


def _make_anatomies(arguments: argparse.Namespace, atlases: Atlases, seeds: range) -> None:
    from ..synthesis.store import anatomy_path, fill_store

    _make_folder(arguments.out)
    fill_store(arguments.out, atlases, seeds, done=lambda seed: print(anatomy_path(arguments.out, seed)))


def _make_scans(arguments: argparse.Namespace, atlases: Atlases, seeds: range) -> None:
    from ..synthesis.scan import ScanPlan, make_scan
    from ..training.data.made import write_dataset_json
    from ..volumes.writing import write_label_map, write_volume

    for folder in ("imagesTr", "labelsTr"):
        _make_folder(arguments.out / folder)
    for seed in seeds:
        volume, truth = make_scan(atlases, ScanPlan(seed, arguments.phase))
        image = arguments.out / "imagesTr" / f"made_{seed:05d}_0000.nii.gz"
        write_volume(volume, image)
        write_label_map(truth, arguments.out / "labelsTr" / f"made_{seed:05d}.nii.gz")
        write_dataset_json(arguments.out)
        print(image)
