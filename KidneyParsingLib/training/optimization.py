"""Optimizers and learning rate schedules of the published systems."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan

import torch
from torch import nn

from .plan import CONSTANT, PLATEAU, TrainingPlan

_POLY_POWER = 0.9
_PLATEAU_FACTOR = 0.2
# sgd: nnU-Net (10.1038/s41592-020-01008-z); adam: none; adamw: torch's default.
_USUAL_WEIGHT_DECAY = {"sgd": 3e-5, "adam": 0.0, "adamw": 1e-2}


def make_optimizer(parameters: Iterable[nn.Parameter], plan: TrainingPlan) -> torch.optim.Optimizer:
    """The plan's optimizer. Weight decay is an L2 term for sgd and adam, decoupled for adamw."""
    decay = _USUAL_WEIGHT_DECAY[plan.optimizer] if plan.weight_decay is None else plan.weight_decay
    if plan.optimizer == "sgd":
        return torch.optim.SGD(parameters, plan.rate, momentum=0.99, nesterov=True, weight_decay=decay)
    if plan.optimizer == "adam":
        return torch.optim.Adam(parameters, plan.rate, weight_decay=decay)
    return torch.optim.AdamW(parameters, plan.rate, weight_decay=decay)


class Schedule:
    """The learning rate of every step and what it remembers: best score, validations since then, plateau's rate.

    poly: `rate * (1 - t/T)^0.9` (nnU-Net, BA-Net section 3, boundary stream). plateau: times 0.2 after `patience`
    validations without a better one, the end after `stop_after` (TuNet section 3.2, which watches the validation loss;
    we watch the mean Dice of the validation scans, by which the released weights are chosen too).
    """

    def __init__(self, plan: TrainingPlan) -> None:
        self.plan = plan
        self.state = ScheduleState(plan.rate)

    def rate(self, step: int) -> float:
        """Learning rate of step 0, 1, ..."""
        if self.plan.schedule == PLATEAU:
            return self.state.rate
        if self.plan.schedule == CONSTANT:
            return self.plan.rate
        return self.plan.rate * max(0.0, 1 - step / self.plan.steps) ** _POLY_POWER

    def validated(self, score: float) -> bool:
        """Takes in the score of a validation, the higher the better; true if it is the best one so far."""
        state = self.state
        if not isnan(score) and (state.best is None or score > state.best):
            state.best, state.bad = score, 0
            return True
        state.bad += 1
        if self.plan.schedule == PLATEAU and state.bad % self.plan.patience == 0:
            state.rate *= _PLATEAU_FACTOR
        return False

    @property
    def ended(self) -> bool:
        """True when the plateau schedule gives up waiting for a better score."""
        return self.plan.schedule == PLATEAU and self.state.bad >= self.plan.stop_after


@dataclass
class ScheduleState:
    """What a schedule remembers between steps; it goes into the checkpoint."""

    rate: float
    best: float | None = None
    bad: int = 0
