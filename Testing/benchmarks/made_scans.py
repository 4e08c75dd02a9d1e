"""Dice of released models on made (synthetic) scans by structure and phase, a Markdown table for each model.

    python Testing/benchmarks/made_scans.py --spl SPL_FOLDER --kidneys KIDNEY_FOLDER --n 12 --seed 9001 --models ba_net

The scans' seeds are not those of the training, but their kidneys come from the same atlas.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from KidneyParsingLib.evaluation.overlap import dice_by_structure
from KidneyParsingLib.inference.options import DEFAULT_MODEL, Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.inference.registry import find_model
from KidneyParsingLib.synthesis.anatomy_builder import Atlases
from KidneyParsingLib.synthesis.appearance import PHASES
from KidneyParsingLib.synthesis.scan import ScanPlan, make_scan
from KidneyParsingLib.volumes.volume import LabelMap, Volume

STRUCTURES = ("kidney", "tumor", "artery", "vein", "ureter", "cyst")
Scores = dict[str, float]


def score(parser: KidneyParser, scan: tuple[Volume, LabelMap]) -> Scores:
    """Dice of the structures that the model knows, on one made scan."""
    volume, truth = scan
    known = find_model(parser.options.model).structures
    scores = dice_by_structure(parser.parse(volume).structure_labels(), truth.structure_labels())
    return {name: value for name, value in scores.items() if name in known}


def row(name: str, scores: list[Scores]) -> str:
    """One line of the table: mean Dice of each structure over the scans that show it, and how many those are."""
    cells = []
    for structure in STRUCTURES:
        values = [s[structure] for s in scores if structure in s]
        cells.append(f"{np.mean(values):.3f} ({len(values)})" if values else "-")
    return f"| {name} | " + " | ".join(cells) + " |"


def table(model: str, scores: dict[str, list[Scores]]) -> str:
    """The model's scores phase by phase and of all scans."""
    lines = [f"| {model} | {' | '.join(STRUCTURES)} |", f"|{'---|' * (len(STRUCTURES) + 1)}"]
    lines += [row(phase, found) for phase, found in scores.items() if found]
    return "\n".join([*lines, row("all", [s for found in scores.values() for s in found]), ""])


def main() -> None:
    """Score every model on the scans, phase by phase in turn, and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--spl", type=Path, required=True)
    arguments.add_argument("--kidneys", type=Path)
    arguments.add_argument("--n", type=int, default=12)
    arguments.add_argument("--seed", type=int, default=9001)
    arguments.add_argument("--phases", nargs="+", choices=PHASES, default=PHASES)
    arguments.add_argument("--models", nargs="+", default=[DEFAULT_MODEL])
    given = arguments.parse_args()
    atlases = Atlases(given.spl, given.kidneys)
    parsers = {model: KidneyParser(Options(model=model)) for model in given.models}
    scores: dict[str, dict[str, list[Scores]]] = {model: {phase: [] for phase in PHASES} for model in parsers}
    for index in range(given.n):
        phase = given.phases[index % len(given.phases)]
        scan = make_scan(atlases, ScanPlan(given.seed + index, phase))
        for model, parser in parsers.items():
            scores[model][phase].append(score(parser, scan))
    for model in parsers:
        print(table(model, scores[model]))


if __name__ == "__main__":
    main()
