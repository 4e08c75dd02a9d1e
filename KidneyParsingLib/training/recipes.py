"""How each model is trained on made CT: network, loss, plan. One place, so that one command retrains the weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import InputError
from ..networks.configs import CONFIGS, config
from ..networks.registry import build
from ..synthesis.samples import MadeSamples
from .losses import ba_net_loss, plain_loss
from .trainer import Trainer, TrainingPlan


@dataclass(frozen=True)
class Recipe:
    """A model's loss and, for the small config on made CT, its number of steps and learning rate."""

    loss: Callable
    steps: int
    rate: float


RECIPES = {
    "locator": Recipe(plain_loss, steps=4600, rate=2e-3),
    "ba_net": Recipe(ba_net_loss, steps=4300, rate=1e-3),
}


def make_trainer(
    model: str, anatomies: Path, folder: Path, steps: int | None = None, device: str = "cpu", config_name: str = "small"
) -> Trainer:
    """The trainer of a model on the made anatomies in a folder; files go to `folder`, where an old run is resumed.

    Raises InputError if there is no such model or configuration.
    """
    if model not in RECIPES or (model, config_name) not in CONFIGS:
        known = ", ".join(f"{m} ({c})" for m, c in CONFIGS)
        raise InputError(
            f"There is no model {model!r} with configuration {config_name!r} to train; choose from: {known}."
        )
    recipe, network_config = RECIPES[model], config(model, config_name)
    plan = TrainingPlan(steps=recipe.steps if steps is None else steps, rate=recipe.rate, device=device)
    torch.manual_seed(0)
    samples = MadeSamples(anatomies, network_config, plan.steps * plan.batch)
    return Trainer(build(network_config), recipe.loss, samples, plan, folder, network_config.to_json())
