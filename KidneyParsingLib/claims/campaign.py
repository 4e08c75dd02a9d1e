"""The comparison's budget and folder: makes the scans, trains what is not trained yet; `results` does the rest.

Everything lies in one folder and is gone on with when the command is given again:
`scans` (made CTs), `stored` (the same on the networks' grids), `runs` (trainings), `scores` (by arm), `claims.md`.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch

from ..errors import InputError
from ..networks.configs import NetworkConfig
from ..networks.registry import build
from ..progress import Progress, silent
from ..training.cases import StoredCase, stored_cases
from ..training.data.layouts import find_cases
from ..training.patches import PatchSamples
from ..training.plan import TrainingPlan
from ..training.recipes import LOSSES, RECIPES
from ..training.schemas import SCHEMAS
from ..training.trainer import Trainer
from .experiment import Run, runs

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
    from ..synthesis.scans.scan import ScanPlan, make_scan
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


def threads_of(jobs: int) -> int:
    """The share of the CPU's cores that each of `jobs` processes takes."""
    return max(1, (os.cpu_count() or 1) // jobs)


def train_all(campaign: Campaign, jobs: int, show: Progress = silent) -> None:
    """Trains every run that is not done, `jobs` at a time, each in a process with its share of the CPU cores."""
    todo = [run for run in campaign.runs if not campaign.is_done(run)]
    for config in dict.fromkeys(run.variant.config(campaign.size) for run in todo):
        campaign.cases(config, show)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for index, name in enumerate(pool.map(partial(train_run, campaign, threads=threads_of(jobs)), todo)):
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
