"""How near made CT is to real CT, row by row; exit status 1 if a row fails.

    python Testing/benchmarks/realism.py --real CT_FOLDER --spl SPL_FOLDER --kidneys KIDNEY_FOLDER --n 12 --seed 9101

CT_FOLDER holds NAME.nii.gz and, where there is a reference, NAME_ref.nii.gz (1 kidney, 2 tumor, 3 artery, 4 vein,
5 ureter, 6 cyst, 255 ignored) on the same grid. Made scans are in turn of the phases of the real ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.realism.comparison import compare, compare_shapes
from KidneyParsingLib.realism.ct_scan import CtScan, upright_scan
from KidneyParsingLib.realism.measures import ScanMeasures, measure
from KidneyParsingLib.realism.plots import write_plots
from KidneyParsingLib.realism.references import atlas_shapes, merge
from KidneyParsingLib.realism.shapes import Values, kidney_shapes, tube_shapes, vessel_shapes
from KidneyParsingLib.realism.verdict import LEAST_SCANS, Row, markdown
from KidneyParsingLib.synthesis.anatomy_builder import Atlases, make_anatomy
from KidneyParsingLib.synthesis.look.appearance import PHASES
from KidneyParsingLib.synthesis.scans.scan import ScanPlan, scan_of
from KidneyParsingLib.synthesis.tissues import structure_lookup
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.writing import read_structure_labels

_REFERENCE = "_ref.nii.gz"
# The phases of the scans that docs/results.md names.
_PHASE_OF = {
    "crlm-ct-1006": "portal",
    "cptac-c3n-00249": "corticomedullary",
    "tcga-09-2043": "portal",
    "totalsegmentator-s0009": "none",
}


def real_scans(folder: Path, phases: dict[str, str]) -> list[CtScan]:
    """The CTs of a folder with their references. Raises InputError if it holds none."""
    paths = [path for path in sorted(folder.glob("*.nii.gz")) if not path.name.endswith(_REFERENCE)]
    if not paths:
        raise InputError(f"{folder} holds no .nii.gz; give the folder of real CTs.")
    scans = []
    for path in paths:
        name = path.name.removesuffix(".nii.gz")
        reference = path.with_name(name + _REFERENCE)
        labels = read_structure_labels(reference)[0] if reference.is_file() else None
        scans.append(upright_scan(name, phases.get(name, ""), read_ct(path), labels))
    return scans


def made_scan(atlases: Atlases, plan: ScanPlan) -> tuple[ScanMeasures, Values]:
    """Measures of one made scan, and the sizes of its anatomy."""
    rng = np.random.default_rng(plan.seed)
    tissues = make_anatomy(atlases, rng, plan.anatomy_mm)
    volume, truth = scan_of(tissues, plan, rng)
    found = measure(upright_scan(f"made {plan.seed}", plan.phase or "", volume, truth.structure_labels()))
    labels, spacing = structure_lookup()[tissues], (plan.anatomy_mm,) * 3
    return found, kidney_shapes(labels, spacing) | vessel_shapes(labels, spacing) | tube_shapes(labels, spacing[0])


def report(rows: list[Row], pictures: list[Path], count: int, seed: int) -> str:
    """The page: table, how many rows fail, pictures."""
    failed = sum(row.ok is False for row in rows)
    judged = sum(row.ok is not None for row in rows)
    head = f"{count} made scans, seeds from {seed}. **{failed} of {judged} rows fail.**\n\n"
    return head + markdown(rows) + "\n" + "\n".join(f"![{path.stem}](pictures/{path.name})" for path in pictures) + "\n"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--spl", type=Path, required=True)
    parser.add_argument("--kidneys", type=Path, required=True)
    parser.add_argument("--n", type=int, default=12)
    parser.add_argument("--seed", type=int, default=9101)
    parser.add_argument(
        "--phases", nargs="+", choices=PHASES, help="of the made scans; default: those of the real ones"
    )
    parser.add_argument("--phase", action="append", default=[], metavar="NAME=PHASE", help="phase of a real scan")
    parser.add_argument("--atlas-cases", type=int, default=80, help="kidney atlas cases that are measured")
    parser.add_argument("--report", type=Path, help="Markdown file: its part after the marker line is replaced")
    parser.add_argument("--pictures", type=Path, help="folder for realism_*.png")
    given = parser.parse_args()
    if given.n < LEAST_SCANS:
        parser.error(f"--n {given.n} made scans say nothing of their spread; give {LEAST_SCANS} or more.")
    return given


MARKER = "<!-- written by Testing/benchmarks/realism.py -->\n"


def main() -> int:
    """Measure real and made scans, print the table, write page and pictures; 1 if a row fails."""
    given = arguments()
    torch.set_num_threads(1)
    known = _PHASE_OF | dict(item.split("=", 1) for item in given.phase)
    real = [measure(scan) for scan in real_scans(given.real, known)]
    phases = given.phases or [p for p in PHASES if p in {scan.phase for scan in real}] or list(PHASES)
    atlases, made, shapes = Atlases(given.spl, given.kidneys), [], {}
    for index in range(given.n):
        found, sizes = made_scan(atlases, ScanPlan(given.seed + index, phases[index % len(phases)]))
        made.append(found)
        merge(shapes, sizes)
    atlas = atlas_shapes(given.kidneys, given.atlas_cases)
    rows = compare(real, made) + compare_shapes(shapes, atlas)
    pictures = write_plots(real, made, shapes, atlas, given.pictures) if given.pictures else []
    text = report(rows, pictures, given.n, given.seed)
    print(text)
    if given.report:
        head = given.report.read_text().split(MARKER)[0] if given.report.is_file() else ""
        given.report.write_text(head + MARKER + text)
    return int(any(row.ok is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
