"""How well models segment the synthetic test split, or the split to choose by: Markdown tables for each model.

    python Testing/benchmarks/made_scans.py --spl SPL_FOLDER --kidneys KIDNEY_FOLDER --scans FOLDER --models ba_net

The scans (docs/synthetic.md) are made once and kept in the folder, in nnU-Net's layout; give a new one after the
generator has changed. Scores are kept there too, a JSON line for every scan and model: a run that was stopped goes on,
and weights that have changed are scored again. The first --n scans are as balanced as n allows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from made_scan_scores import score_scan
from made_scan_tables import tables

from KidneyParsingLib.inference.options import DEFAULT_MODEL, Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.inference.registry import find_model
from KidneyParsingLib.synthesis.anatomy_builder import Atlases
from KidneyParsingLib.synthesis.scans.scan import ScanPlan, make_scan
from KidneyParsingLib.synthesis.scans.scan_geometry import slice_class
from KidneyParsingLib.synthesis.scans.split import TEST_SPLIT, VALIDATION_SPLIT
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import Volume
from KidneyParsingLib.volumes.writing import read_structure_labels, write_label_map, write_volume

Record = dict[str, Any]
Scan = tuple[Volume, np.ndarray]


class ScoreFile:
    """Records as JSON lines; a line that a stopped run has left unfinished is as if it were not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[Record] = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                self.records.append(json.loads(line))
            except ValueError:
                continue

    def find(self, **wanted: object) -> Record | None:
        """The record with these values, if there is one."""
        return next((r for r in self.records if all(r[key] == value for key, value in wanted.items())), None)

    def add(self, record: Record) -> None:
        """Keeps a record, in the file at once."""
        self.records.append(record)
        unfinished = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * unfinished + json.dumps(record) + "\n")


def kept_scan(folder: Path, atlases: Atlases, plan: ScanPlan) -> Scan:
    """CT and structure labels of a plan as a user would read them; made if the folder lacks them."""
    image = folder / "imagesTs" / f"made_{plan.seed}_0000.nii.gz"
    labels = folder / "labelsTs" / f"made_{plan.seed}.nii.gz"
    if not labels.exists():
        image.parent.mkdir(parents=True, exist_ok=True)
        labels.parent.mkdir(parents=True, exist_ok=True)
        volume, truth = make_scan(atlases, plan)
        write_volume(volume, image)
        write_label_map(truth, labels)
    return read_ct(image), read_structure_labels(labels)[0]


def score_all(
    plans: Iterable[ScanPlan], models: dict[str, str], scores: ScoreFile, scan_of: Callable[[ScanPlan], Scan],
    score: Callable[[str, Scan], Record]
) -> None:  # fmt: skip
    """Adds what is missing of every plan and model; `models` gives each model's weights by their hash."""
    for plan in plans:
        todo = [m for m, weights in models.items() if not scores.find(model=m, weights=weights, seed=plan.seed)]
        scan = scan_of(plan) if todo else None
        for model in todo:
            about = {"model": model, "weights": models[model], "seed": plan.seed, "phase": plan.contrast}
            about |= {"slices": slice_class(plan.voxel_mm[0]), "slice_mm": plan.voxel_mm[0]}
            scores.add({**about, **score(model, scan)})


def scorer(models: Iterable[str]) -> Callable[[str, Scan], Record]:
    """What parses a scan with a model and scores it."""
    parsers = {model: KidneyParser(Options(model=model)) for model in models}

    def score(model: str, scan: Scan) -> Record:
        volume, truth = scan
        start = time.perf_counter()
        predicted = parsers[model].parse(volume).structure_labels()
        seconds = round(time.perf_counter() - start, 1)
        spacing = tuple(volume.spacing[::-1].tolist())
        return {"seconds": seconds, **score_scan(predicted, truth, spacing, find_model(model).structures)}

    return score


def weights_of(model: str) -> str:
    """What tells a model's weights from others of that name."""
    return "-".join(network.sha256[:8] for network in find_model(model).networks)


def main() -> None:
    """Score every model on the scans that it has not been scored on, and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--spl", type=Path, required=True)
    arguments.add_argument("--kidneys", type=Path, required=True)
    arguments.add_argument("--scans", type=Path, required=True, help="folder that keeps the scans and the scores")
    arguments.add_argument("--n", type=int, help="how many of the split (default all)")
    arguments.add_argument("--validation", action="store_true", help="the split to choose by, not the test split")
    arguments.add_argument("--models", nargs="+", default=[DEFAULT_MODEL])
    given = arguments.parse_args()
    plans = (VALIDATION_SPLIT if given.validation else TEST_SPLIT)[: given.n]
    given.scans.mkdir(parents=True, exist_ok=True)
    scores = ScoreFile(given.scans / "scores.jsonl")
    models = {model: weights_of(model) for model in given.models}
    atlases = Atlases(given.spl, given.kidneys, held_out=not given.validation)
    score_all(plans, models, scores, lambda plan: kept_scan(given.scans, atlases, plan), scorer(models))
    for model, weights in models.items():
        records = [scores.find(model=model, weights=weights, seed=plan.seed) for plan in plans]
        print(tables(model, [record for record in records if record]))


if __name__ == "__main__":
    main()
