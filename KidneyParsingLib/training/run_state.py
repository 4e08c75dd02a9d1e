"""Everything that a run needs to go on as if it had not stopped, and its checkpoint file.

The state of torch's random generator is not kept: nothing draws from it once the weights are initialised, as no network
has dropout and a sample depends on its index alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from ..errors import InputError
from ..networks.checkpoint import load_tensors, save_tensors
from .optimization import Schedule, ScheduleState

Loss = Callable[[object, dict[str, torch.Tensor]], torch.Tensor]
Tensors = dict[str, torch.Tensor]


@dataclass
class RunState:
    """Network, loss (a module's state is kept), optimizer, loss scaler, schedule and the number of steps done.

    In a checkpoint the tensors are called `network.*`, `loss.*` and `optimizer.*`; the notes are `step`, `config`,
    `plan` (what decides the weights), `schedule` and `scaler`, the last three as JSON.
    """

    network: nn.Module
    loss: Loss
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    schedule: Schedule
    config: str = ""
    step: int = 0

    def save(self, path: Path) -> None:
        """Writes the checkpoint, whole or not at all."""
        tensors = self._network() | _named("loss", self._loss()) | _named("optimizer", self._moments())
        states = {"schedule": asdict(self.schedule.state), "scaler": self.scaler.state_dict()}
        save_tensors(path, tensors, self._identity() | {name: json.dumps(state) for name, state in states.items()})

    def save_network(self, path: Path) -> None:
        """Writes the network alone, with its validation score, by the same names as in a checkpoint."""
        save_tensors(path, self._network(), self._identity() | {"score": json.dumps(self.schedule.state.best)})

    def load(self, path: Path) -> None:
        """Takes over a checkpoint. Raises InputError if it is damaged or belongs to another model or plan."""
        tensors, notes = load_tensors(path)
        self._require_same(notes, path)
        try:
            self.network.load_state_dict(part(tensors, "network"))
        except RuntimeError as error:
            raise _other_model(path) from error
        if isinstance(self.loss, nn.Module):
            self.loss.load_state_dict(part(tensors, "loss"))
        self._load_moments(part(tensors, "optimizer"))
        self.schedule.state = ScheduleState(**json.loads(notes["schedule"]))
        if scaler := json.loads(notes["scaler"]):
            self.scaler.load_state_dict(scaler)
        self.step = int(notes["step"])

    def _network(self) -> Tensors:
        return _named("network", self.network.state_dict())

    def _loss(self) -> Tensors:
        return self.loss.state_dict() if isinstance(self.loss, nn.Module) else {}

    def _identity(self) -> dict[str, str]:
        return {"step": str(self.step), "config": self.config, "plan": json.dumps(self.schedule.plan.decisive())}

    def _moments(self) -> Tensors:
        states = self.optimizer.state_dict()["state"]
        every = ((f"{i}.{name}", value) for i, state in states.items() for name, value in state.items())
        return {name: torch.as_tensor(value) for name, value in every if value is not None}

    def _load_moments(self, moments: Tensors) -> None:
        weights = list(self.network.parameters())
        states: dict[int, Tensors] = {}
        for name, value in moments.items():
            index, key = name.split(".", 1)
            states.setdefault(int(index), {})[key] = _laid_out_as(weights[int(index)], value)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})

    def _require_same(self, notes: dict[str, str], path: Path) -> None:
        if notes.get("config") != self.config:
            raise _other_model(path)
        stored, own = json.loads(notes.get("plan", "{}")), self.schedule.plan.decisive()
        changes = [
            f"{name} {stored[name]}, not {value}"
            for name, value in own.items()
            if name in stored and stored[name] != value
        ]
        if changes:
            raise InputError(
                f"{path.parent} holds a run with another plan ({'; '.join(changes)}); choose another folder."
            )


def _other_model(path: Path) -> InputError:
    return InputError(f"{path.parent} holds the run of another model; choose another folder for this one.")


def _laid_out_as(weight: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The value in a weight's memory layout, which files do not keep; in another one the optimizer is slower."""
    return torch.empty_like(weight).copy_(value) if value.shape == weight.shape and value.dim() else value


def _named(name: str, tensors: Tensors) -> Tensors:
    return {f"{name}.{key}": value for key, value in tensors.items()}


def part(tensors: Tensors, name: str) -> Tensors:
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{name}.")}
