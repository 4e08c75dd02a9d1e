"""Scores of everything that is trained, each kept once it is made, and the page of all tables."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..evaluation.regions import restricted
from ..networks.configs import NetworkConfig
from ..networks.devices import choose_device
from ..progress import Progress, silent
from ..training.cases import StoredCase
from ..training.release import trained_network
from .campaign import Campaign, threads_of
from .experiment import CLAIMS, Arm, Claim, Run
from .predictions import ArmPredictor, Trained, predictors, roi_windows
from .scoring import measures, truth_of
from .table import Repeats, page


class Task(NamedTuple):
    """One repeat of an arm: the runs whose maps are averaged."""

    claim: Claim
    arm: Arm
    runs: tuple[Run, ...]


def trained(campaign: Campaign, run: Run) -> Trained:
    """The finished network of a run."""
    network, config, _ = trained_network(campaign.run_folder(run) / "checkpoint.safetensors")
    return Trained(network.eval().to(choose_device(campaign.device)), config)


def tasks(campaign: Campaign) -> list[Task]:
    """Every repeat of every arm whose trainings are finished."""
    done = {run.name for run in campaign.runs if campaign.is_done(run)}
    arms = [(claim, arm) for claim in CLAIMS for arm in claim.arms if arm.finder is None or f"{arm.finder}-0" in done]
    return [Task(*pair, tuple(group)) for pair in arms for group in predictors(pair[1], campaign.runs, done)]


def score_all(campaign: Campaign, jobs: int = 1, show: Progress = silent) -> dict[str, dict[str, Repeats]]:
    """Scores by claim and arm: a list of repeats of lists of scans. What is stored in `scores` is not made again;
    `jobs` processes make the rest."""
    result: dict[str, dict[str, Repeats]] = {}
    planned = tasks(campaign)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        scored = pool.map(partial(score, campaign, threads=threads_of(jobs)), planned)
        for index, (task, scores) in enumerate(zip(planned, scored, strict=True)):
            show((index + 1) / len(planned), f"scored {task.claim.title}: {task.arm.name}")
            result.setdefault(task.claim.title, {}).setdefault(task.arm.name, []).append(scores)
    return result


def score(campaign: Campaign, task: Task, threads: int = 1) -> list[dict[str, float]]:
    """The measures of every test scan by column title, from the file if they have been made before."""
    name = f"{task.claim.title}-{task.arm.name}-{'+'.join(run.name for run in task.runs)}".replace(" ", "_")
    path = campaign.folder / "scores" / campaign.budget / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    torch.set_num_threads(threads)
    scores = _score(campaign, task)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(scores), encoding="utf-8")
    unfinished.replace(path)
    return scores


def _score(campaign: Campaign, task: Task) -> list[dict[str, float]]:
    finder = next((run for run in campaign.runs if run.variant.name == task.arm.finder), None)
    everyone = {run.name: trained(campaign, run) for run in [*task.runs, *([finder] if finder else [])]}
    by_run = {name: {c.name: c for c in campaign.cases(t.config)[1]} for name, t in everyone.items()}
    device = choose_device(campaign.device)
    predictor = ArmPredictor(task.arm, task.runs, everyone, lambda run, name: by_run[run.name][name], finder, device)
    config, cases = everyone[task.runs[0].name].config, by_run[task.runs[0].name]
    return [_measured(task, config, predictor.labels(name), case) for name, case in cases.items()]


def _measured(task: Task, config: NetworkConfig, predicted: np.ndarray, case: StoredCase) -> dict[str, float]:
    labels = np.asarray(case.labels)
    if task.arm.roi:
        predicted, labels = predicted * _inside(case), labels * _inside(case)
    if task.arm.islands:
        predicted, _ = restricted(predicted, truth_of(labels, config), "roi", known_islands=True)
    metrics = ("dice", "hd") if any(column.startswith("hd") for column in task.claim.columns) else ("dice",)
    return measures(predicted, labels, config, case.spacing, metrics)


def _inside(case: StoredCase) -> np.ndarray:
    mask = np.zeros(case.labels.shape, np.uint8)
    for window in roi_windows(case):
        mask[window] = 1
    return mask


def write_page(campaign: Campaign, jobs: int = 1, show: Progress = silent) -> Path:
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
    unfinished.write_text(head + page(score_all(campaign, jobs, show)), encoding="utf-8")
    unfinished.replace(path)
    return path
