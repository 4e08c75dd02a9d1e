"""The whole comparison: makes the scans, trains what is not trained yet, scores what is not scored yet, writes the
page.

Everything lies in one folder and is gone on with when the command is given again:
`scans` (made CTs), `stored` (the same on the networks' grids), `runs` (trainings), `scores` (by arm), `claims.md`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..evaluation.regions import restricted
from ..inference.network_pass import choose_device, to_device
from ..networks.configs import NetworkConfig
from ..networks.registry import build
from ..progress import Progress, silent
from ..training.cases import StoredCase, stored_cases
from ..training.data.layouts import find_cases
from ..training.patches import PatchSamples
from ..training.plan import TrainingPlan
from ..training.recipes import LOSSES, RECIPES
from ..training.release import trained_network
from ..training.schemas import SCHEMAS
from ..training.trainer import Trainer
from .experiment import CLAIMS, Arm, Claim, Run, runs
from .predictions import ArmPredictor, Trained, predictors, roi_windows
from .scoring import measures, truth_of
from .table import page

# The papers' scans are late arterial, when a tumor is darker than the kidney around it; of our phases the portal one is
# most like it.
PHASE = "portal"


@dataclass(frozen=True)
class Campaign:
    """What is compared: `folder` of everything, `size` of the networks, `steps` and `rate` of every training, `seeds`
    repeats, `train` and `test` numbers of scans, the first of which has the seed `first_scan`."""

    folder: Path
    size: str = "tiny"
    steps: int = 2000
    rate: float = 2e-3
    seeds: int = 3
    train: int = 20
    test: int = 12
    first_scan: int = 30002
    device: str = "auto"

    @property
    def runs(self) -> list[Run]:
        """All trainings, in their order."""
        return runs(self.seeds)

    def run_folder(self, run: Run) -> Path:
        """Where a training's files are."""
        return self.folder / "runs" / run.name

    def steps_of(self, run: Run) -> int:
        """How many steps a run is trained."""
        return max(1, round(self.steps * run.variant.share))

    @property
    def budget(self) -> str:
        """What all runs and scores depend on, in short: what is made for another budget is not taken for this one."""
        scans = f"{self.first_scan}+{self.train}+{self.test}"
        return f"{self.size}-{self.steps}-{self.rate:g}-{scans}"

    def is_done(self, run: Run) -> bool:
        """Whether a training is finished, with this budget. Raises InputError if it was with another one."""
        done = self.run_folder(run) / "done"
        if done.exists() and done.read_text(encoding="utf-8") != self.budget:
            raise InputError(f"{done.parent} was trained with another budget; choose another folder, or that budget.")
        return done.exists()

    def cases(self, config: NetworkConfig, show: Progress = silent) -> tuple[list[StoredCase], list[StoredCase]]:
        """Training and test scans on a network's grid, stored on first use."""
        found = sorted(find_cases("ours", self.folder / "scans"), key=lambda case: case.name)
        if len(found) < self.train + self.test:
            raise InputError(
                f"{self.folder / 'scans'} holds {len(found)} scans and {self.train + self.test} are needed; "
                "give --spl and --kidneys to make them."
            )
        found = found[: self.train + self.test]
        stored = stored_cases(found, config, self.folder / "stored", partial(show, 0.0))
        return stored[: self.train], stored[self.train :]


def make_scans(campaign: Campaign, spl: Path, kidneys: Path | None, show: Progress = silent) -> None:
    """Makes the scans that the folder does not hold yet."""
    from ..synthesis.anatomy_builder import Atlases
    from ..synthesis.scan import ScanPlan, make_scan
    from ..volumes.writing import write_label_map, write_volume

    atlases = None
    folders = [campaign.folder / "scans" / name for name in ("imagesTr", "labelsTr")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    count = campaign.train + campaign.test
    for index in range(count):
        seed = campaign.first_scan + 2 * index
        image, labels = folders[0] / f"made_{seed:05d}_0000.nii.gz", folders[1] / f"made_{seed:05d}.nii.gz"
        if not (image.exists() and labels.exists()):
            atlases = atlases or Atlases(spl, kidneys)
            volume, truth = make_scan(atlases, ScanPlan(seed, PHASE))
            write_volume(volume, image)
            write_label_map(truth, labels)
        show((index + 1) / count, f"scan {index + 1} of {count}")


def train_all(campaign: Campaign, jobs: int, show: Progress = silent) -> None:
    """Trains every run that is not done, `jobs` at a time, each in a process with its share of the CPU cores."""
    todo = [run for run in campaign.runs if not campaign.is_done(run)]
    for config in dict.fromkeys(run.variant.config(campaign.size) for run in todo):
        campaign.cases(config, show)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for index, name in enumerate(pool.map(partial(train_run, campaign, threads=threads), todo)):
            show((index + 1) / len(todo), f"trained {name}, {index + 1} of {len(todo)}")


def train_run(campaign: Campaign, run: Run, threads: int = 1) -> str:
    """Trains one run, or goes on with it; its name. The same steps, batch, optimizer and rate for all runs."""
    torch.set_num_threads(threads)
    variant, config = run.variant, run.variant.config(campaign.size)
    recipe = RECIPES[variant.model]
    plan = TrainingPlan(
        campaign.steps_of(run), rate=campaign.rate, device=campaign.device, checkpoint_seconds=60, workers=0
    )
    training, _ = campaign.cases(config)
    schema = SCHEMAS[variant.schema or variant.model]
    samples = PatchSamples(
        training, config, schema, recipe.augmentation_of(campaign.size), plan.steps * plan.batch, run.seed
    )
    torch.manual_seed(run.seed)
    loss = LOSSES[variant.loss or recipe.loss](config)
    folder = campaign.run_folder(run)
    Trainer(build(config), loss, samples, plan, folder, config.to_json()).run()
    (folder / "done").write_text(campaign.budget, encoding="utf-8")
    return run.name


def trained(campaign: Campaign, run: Run) -> Trained:
    """The finished network of a run."""
    network, config, _ = trained_network(campaign.run_folder(run) / "checkpoint.safetensors")
    return Trained(to_device(network.eval(), choose_device(campaign.device)), config)


def score_all(campaign: Campaign, show: Progress = silent) -> dict[str, dict[str, list[list[dict[str, float]]]]]:
    """Scores by claim and arm, a list of repeats of lists of scans; what is stored in `scores` is not made again."""
    done = {run.name for run in campaign.runs if campaign.is_done(run)}
    result: dict[str, dict[str, list[list[dict[str, float]]]]] = {}
    arms = [(claim, arm) for claim in CLAIMS for arm in claim.arms]
    for index, (claim, arm) in enumerate(arms):
        show(index / len(arms), f"scoring {claim.title}: {arm.name}")
        groups = predictors(arm, campaign.runs, done)
        if not _finder_is_done(arm, done):
            groups = []
        result.setdefault(claim.title, {})[arm.name] = [_scored(campaign, claim, arm, group) for group in groups]
    return result


def _finder_is_done(arm: Arm, done: set[str]) -> bool:
    return arm.finder is None or f"{arm.finder}-0" in done


def _scored(campaign: Campaign, claim: Claim, arm: Arm, group: Sequence[Run]) -> list[dict[str, float]]:
    name = f"{claim.title}-{arm.name}-{'+'.join(run.name for run in group)}".replace(" ", "_")
    path = campaign.folder / "scores" / campaign.budget / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    scores = _score(campaign, arm, list(group))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(scores), encoding="utf-8")
    unfinished.replace(path)
    return scores


def _score(campaign: Campaign, arm: Arm, group: list[Run]) -> list[dict[str, float]]:
    finder = next((r for r in campaign.runs if r.variant.name == arm.finder), None)
    everyone = {run.name: trained(campaign, run) for run in [*group, *([finder] if finder else [])]}
    by_run = {name: {c.name: c for c in campaign.cases(t.config)[1]} for name, t in everyone.items()}
    device = choose_device(campaign.device)
    predictor = ArmPredictor(arm, group, everyone, lambda run, name: by_run[run.name][name], finder, device)
    config, cases = everyone[group[0].name].config, by_run[group[0].name]
    return [_measured(arm, config, predictor.labels(name), case) for name, case in cases.items()]


def _measured(arm: Arm, config: NetworkConfig, predicted: np.ndarray, case: StoredCase) -> dict[str, float]:
    labels = np.asarray(case.labels)
    if arm.roi:
        predicted, labels = predicted * _inside(case), labels * _inside(case)
    if arm.islands:
        predicted, _ = restricted(predicted, truth_of(labels, config), "roi", known_islands=True)
    return measures(predicted, labels, config, case.spacing)


def _inside(case: StoredCase) -> np.ndarray:
    mask = np.zeros(case.labels.shape, np.uint8)
    for window in roi_windows(case):
        mask[window] = 1
    return mask


def write_page(campaign: Campaign, show: Progress = silent) -> Path:
    """Scores everything that is trained and writes the tables to `claims.md` in the folder."""
    done = sum(campaign.is_done(run) for run in campaign.runs)
    head = (
        f"{done} of {len(campaign.runs)} trainings done: configuration {campaign.size}, {campaign.steps:,} steps of "
        "one patch (half of that for the two networks that only find kidneys), the same optimizer and rate for all; "
        f"{campaign.train} made (synthetic) CTs to train on, "
        f"{campaign.test} others to test. Values: mean over the test scans; mean and standard deviation of that over "
        "the repeats.\n\n"
    )
    path = campaign.folder / "claims.md"
    unfinished = path.with_suffix(".part")
    unfinished.write_text(head + page(score_all(campaign, show)), encoding="utf-8")
    unfinished.replace(path)
    return path
