"""`kidneyparsing synthesize`: made CT with truth, or a store of made anatomies to train on."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..synthesis.anatomy_builder import Atlases
    from ..synthesis.scans.scan import ScanPlan

# Where atlases are looked for that no option names.
_ATLASES = "KIDNEYPARSING_ATLASES"
_BESIDE_REPOSITORY = Path(__file__).resolve().parents[3] / "shared" / "data"
_SPL, _KIDNEYS = "spl_atlas", "kidney_atlas"
# A picture of more rows is too long to look through.
_SHEET_ROWS = 100


def add_synthesize_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `synthesize`."""
    parser = subparsers.add_parser("synthesize", help="make CT with known truth", description="Make CT with truth.")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder for imagesTr/ and labelsTr/ (nnU-Net's layout)")
    parser.add_argument("--n", type=int, default=1, help="how many (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first; the others follow")
    parser.add_argument("--phase", help="contrast phase of all scans, such as portal (default: any)")
    parser.add_argument(
        "--grid", choices=("quick", "scanner"), default="quick",
        help="quick: upright, 3 x 1.5 x 1.5 mm; scanner: slices of 0.5-5 mm, field of view, range and axes at random",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace scans of the same seeds")
    parser.add_argument("--anatomies", action="store_true", help="make anatomies to train on, not scans")
    parser.add_argument(
        "--spl", type=Path, metavar="FOLDER",
        help=f"the SPL abdominal atlas (default: {_SPL} in the folder that {_ATLASES} names, or in shared/data beside "
        "the repository)",
    )  # fmt: skip
    parser.add_argument(
        "--kidneys", type=Path, metavar="FOLDER",
        help=f"the kidney atlas (default: without --spl {_KIDNEYS} there; with it the SPL kidneys serve)",
    )  # fmt: skip
    parser.set_defaults(run=run_synthesize, when_cancelled="what is finished stays")


def run_synthesize(arguments: argparse.Namespace) -> int:
    """Make the scans or anatomies, one line each; anatomies that exist are kept, scans that exist are refused.

    The atlas cases that are held out for the test split are not used.
    """
    from ..synthesis.scans.split import check_training_seeds

    atlases = _atlases(arguments)
    seeds = range(arguments.seed, arguments.seed + arguments.n)
    check_training_seeds(seeds)
    _make_folder(arguments.out)
    (_make_anatomies if arguments.anatomies else _make_scans)(arguments, atlases, seeds)
    return 0


def _atlases(arguments: argparse.Namespace) -> Atlases:
    """The atlases asked for, else those that are kept where they usually are. Raises InputError if there are none."""
    from ..errors import InputError
    from ..synthesis.anatomy_builder import Atlases

    if arguments.spl:
        return Atlases(arguments.spl, arguments.kidneys, held_out=False)
    kept = Path(os.environ.get(_ATLASES) or _BESIDE_REPOSITORY)
    if not (kept / _SPL).is_dir():
        raise InputError(f"There is no folder {kept / _SPL}; give --spl FOLDER (docs/training.md says what it holds).")
    kidneys = kept / _KIDNEYS
    return Atlases(kept / _SPL, arguments.kidneys or (kidneys if kidneys.is_dir() else None), held_out=False)


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
    from ..synthesis.scans.contact_sheet import sheet_row, write_sheet
    from ..synthesis.scans.scan import make_scan
    from ..training.data.made import write_dataset_json
    from ..volumes.writing import write_label_map, write_volume

    _check_phase(arguments.phase)
    if not arguments.overwrite:
        _refuse_existing(arguments.out, seeds)
    for folder in ("imagesTr", "labelsTr"):
        _make_folder(arguments.out / folder)
    sheet, rows = _sheet_path(arguments), []
    for seed in seeds:
        plan = _plan(arguments, seed)
        volume, truth = make_scan(atlases, plan)
        image, labels = _scan_paths(arguments.out, seed)
        write_volume(volume, image)
        write_label_map(truth, labels)
        write_dataset_json(arguments.out)
        print(image)
        if len(rows) < _SHEET_ROWS:
            rows.append(sheet_row(plan, volume, truth))
            write_sheet(rows, sheet)


def _check_phase(phase: str | None) -> None:
    from ..errors import InputError
    from ..synthesis.look.appearance import PHASES

    if phase not in (None, *PHASES):
        raise InputError(f"There is no phase {phase!r}; choose from {', '.join(PHASES)}.")


def _plan(arguments: argparse.Namespace, seed: int) -> ScanPlan:
    from ..synthesis.scans.scan import ScanPlan

    return (ScanPlan.drawn if arguments.grid == "scanner" else ScanPlan)(seed, arguments.phase)


def _scan_paths(out: Path, seed: int) -> tuple[Path, Path]:
    return out / "imagesTr" / f"made_{seed:05d}_0000.nii.gz", out / "labelsTr" / f"made_{seed:05d}.nii.gz"


def _refuse_existing(out: Path, seeds: Iterable[int]) -> None:
    """Raises InputError if a scan of these seeds is there, or a data set that is not ours."""
    from ..errors import InputError

    for path in (path for seed in seeds for path in _scan_paths(out, seed)):
        if path.exists():
            raise InputError(f"{path} exists; give --overwrite to replace it, another --seed or another folder.")
    if not _is_ours(out / "dataset.json"):
        raise InputError(f"{out} holds another data set (dataset.json); give --overwrite or another folder.")


def _is_ours(description: Path) -> bool:
    """Whether nnU-Net's description is missing or one that we wrote."""
    from ..anatomy import STRUCTURES

    try:
        labels = json.loads(description.read_text(encoding="utf-8"))["labels"]
    except FileNotFoundError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return labels == {"background": 0, **{entry.name: entry.label for entry in STRUCTURES}}


def _sheet_path(arguments: argparse.Namespace) -> Path:
    """contact_sheet.png, or beside an older one that is kept contact_sheet_2.png and so on."""
    first = arguments.out / "contact_sheet.png"
    if arguments.overwrite or not first.exists():
        return first
    number = 2
    while (path := first.with_stem(f"contact_sheet_{number}")).exists():
        number += 1
    return path
