"""What the price of lesions without contrast medium (`inference/contrast.py`) costs and gains: a Markdown table.

    python Testing/benchmarks/lesion_price.py --spl SPL_FOLDER --kidneys KIDNEY_FOLDER --scans FOLDER --prices 0 1 2 3 5

Measured on the scans without contrast of the split to choose by, with --test of the test split; made if the folder
lacks them (docs/synthetic.md). *Price*: what tumor and cyst lose in score, a logarithm of probability.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean

import numpy as np
from made_scan_scores import tumor_scores
from made_scans import kept_scan

from KidneyParsingLib.anatomy import ORGAN_LABELS, structure
from KidneyParsingLib.evaluation.metrics import dice
from KidneyParsingLib.inference import contrast
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.synthesis.anatomy_builder import Atlases
from KidneyParsingLib.synthesis.scans.split import TEST_SPLIT, VALIDATION_SPLIT
from KidneyParsingLib.volumes.volume import Volume

KIDNEY, TUMOR = structure("kidney").label, structure("tumor").label
COLUMNS = ("kidney", "kidney with lesions", "tumor", "false tumor, ml")


def scored(parser: KidneyParser, volume: Volume, truth: np.ndarray) -> dict[str, float]:
    """The columns of one scan; Dice of a structure that the truth lacks is left out."""
    predicted = parser.parse(volume).structure_labels()
    masks = {"kidney": (KIDNEY,), "kidney with lesions": ORGAN_LABELS, "tumor": (TUMOR,)}
    pairs = {name: [np.isin(labels, values) for labels in (predicted, truth)] for name, values in masks.items()}
    found = {name: dice(*pair) for name, pair in pairs.items() if pair[1].any()}
    lesions = tumor_scores(*pairs["tumor"], tuple(volume.spacing[::-1].tolist()))
    return found | {"false tumor, ml": lesions["false_tumor_ml"]}


def row(price: float, scores: list[dict[str, float]]) -> str:
    """A price with the mean of every column and how many scans have it."""
    values = [[score[name] for score in scores if name in score] for name in COLUMNS]
    cells = [f"{mean(found):.3f} ({len(found)})" if found else "-" for found in values]
    return f"| {price:g} | " + " | ".join(cells) + " |"


def main() -> None:
    """Parse every scan without contrast at every price and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--spl", type=Path, required=True)
    arguments.add_argument("--kidneys", type=Path, required=True)
    arguments.add_argument("--scans", type=Path, required=True, help="folder that keeps the scans, one for each split")
    arguments.add_argument("--test", action="store_true", help="the test split, not the one to choose by")
    arguments.add_argument("--n", type=int, help="how many of the split, of all phases (default all)")
    arguments.add_argument("--prices", nargs="+", type=float, default=[0.0, 1.0, 2.0, 3.0, 5.0])
    given = arguments.parse_args()
    plans = [plan for plan in (TEST_SPLIT if given.test else VALIDATION_SPLIT)[: given.n] if plan.contrast == "none"]
    atlases = Atlases(given.spl, given.kidneys, held_out=given.test)
    parser = KidneyParser(Options(review=False))
    scores: dict[float, list[dict[str, float]]] = {price: [] for price in given.prices}
    for scan in (kept_scan(given.scans, atlases, plan) for plan in plans):
        for price in given.prices:
            contrast._PRICE_OF_LESIONS = price
            scores[price].append(scored(parser, *scan))
    print("| price | " + " | ".join(COLUMNS) + " |\n" + "| --- " * (len(COLUMNS) + 1) + "|")
    print("\n".join(row(price, scores[price]) for price in given.prices))


if __name__ == "__main__":
    main()
