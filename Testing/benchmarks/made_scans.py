"""Dice of a released model on made (synthetic) scans by structure and phase, as a Markdown table.

    python Testing/benchmarks/made_scans.py --spl SPL_FOLDER --kidneys KIDNEY_FOLDER --n 12 --seed 9001

The scans' seeds are not those of the training, but their kidneys come from the same atlas.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from KidneyParsingLib.evaluation.metrics import dice_by_structure
from KidneyParsingLib.inference.options import DEFAULT_MODEL, Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.synthesis.anatomy_builder import Atlases
from KidneyParsingLib.synthesis.appearance import PHASES
from KidneyParsingLib.synthesis.scan import ScanPlan, make_scan

STRUCTURES = ("kidney", "tumor", "artery", "vein", "ureter", "cyst")


def score(parser: KidneyParser, atlases: Atlases, seed: int, phase: str) -> dict[str, float]:
    """Dice by structure on one made scan."""
    volume, truth = make_scan(atlases, ScanPlan(seed, phase))
    return dice_by_structure(parser.parse(volume).structure_labels(), truth.structure_labels())


def row(name: str, scores: list[dict[str, float]]) -> str:
    """One line of the table: mean Dice of each structure over the scans that show it, and how many those are."""
    cells = []
    for structure in STRUCTURES:
        values = [s[structure] for s in scores if structure in s]
        cells.append(f"{np.mean(values):.3f} ({len(values)})" if values else "-")
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Score the scans, phase by phase in turn, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--spl", type=Path, required=True)
    arguments.add_argument("--kidneys", type=Path)
    arguments.add_argument("--n", type=int, default=12)
    arguments.add_argument("--seed", type=int, default=9001)
    arguments.add_argument("--model", default=DEFAULT_MODEL)
    given = arguments.parse_args()
    parser, atlases = KidneyParser(Options(model=given.model)), Atlases(given.spl, given.kidneys)
    scores: dict[str, list[dict[str, float]]] = {phase: [] for phase in PHASES}
    for index in range(given.n):
        phase = PHASES[index % len(PHASES)]
        scores[phase].append(score(parser, atlases, given.seed + index, phase))
    print(f"| phase | {' | '.join(STRUCTURES)} |\n|{'---|' * (len(STRUCTURES) + 1)}")
    for phase in PHASES:
        print(row(phase, scores[phase]))
    print(row("all", [s for phase in PHASES for s in scores[phase]]))


if __name__ == "__main__":
    main()
