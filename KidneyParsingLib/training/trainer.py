"""The one trainer: runs steps, logs to CSV, writes atomic checkpoints (safetensors) and resumes from them."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from ..errors import InputError
from ..networks.checkpoint import load_tensors, save_tensors

_MAX_GRADIENT_NORM = 12.0
Loss = Callable[[object, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class TrainingPlan:
    """`steps` of `batch` samples; learning rate `rate * (1 - t/T)^0.9`; `optimizer` sgd (Nesterov 0.99) or adamw;
    `mixed` trains in bfloat16 where the processor has it."""

    steps: int
    batch: int = 1
    rate: float = 1e-3
    optimizer: str = "adamw"
    mixed: bool = True
    device: str = "cpu"
    checkpoint_seconds: float = 180.0
    workers: int = 1


class Trainer:
    """Trains `network` on `samples` (index -> image, labels) with `loss(output, labels)`; files go to `folder`.

    A folder with a checkpoint is gone on with: the step counter, weights and optimizer state are restored, and as
    samples depend on their index alone, the run continues as if it had not stopped. `config` is stored in it; a
    checkpoint with another one raises InputError.
    """

    def __init__(
        self, network: nn.Module, loss: Loss, samples: Dataset, plan: TrainingPlan, folder: Path, config: str = ""
    ) -> None:
        self.device = torch.device(plan.device)
        self.network = network.to(self.device, memory_format=torch.channels_last_3d)
        self.loss, self.samples, self.plan, self.folder, self.config = loss, samples, plan, Path(folder), config
        self.optimizer = _optimizer(self.network, plan)
        self.step = 0
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.checkpoint_path.exists():
            self._resume()

    @property
    def checkpoint_path(self) -> Path:
        """The state from which a stopped run goes on."""
        return self.folder / "checkpoint.safetensors"

    def run(self) -> None:
        """Trains until `plan.steps` are done; a run that is already done returns at once."""
        self.network.train()
        saved = time.monotonic()
        with (self.folder / "log.csv").open("a", newline="") as file:
            log = csv.writer(file)
            for images, labels in self._batches():
                started = time.monotonic()
                rate = self._rate()
                loss = self._train_step(images, labels, rate)
                log.writerow([self.step, f"{loss:.5f}", f"{rate:.6f}", f"{time.monotonic() - started:.2f}"])
                file.flush()
                if time.monotonic() - saved > self.plan.checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()
        self.save()

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in state.items() if v is not None}
        save_tensors(self.checkpoint_path, tensors, {"step": str(self.step), "config": self.config})

    def _batches(self) -> DataLoader:
        rest = Subset(self.samples, range(self.step * self.plan.batch, self.plan.steps * self.plan.batch))
        workers = self.plan.workers
        return DataLoader(rest, self.plan.batch, num_workers=workers, prefetch_factor=4 if workers else None)

    def _train_step(self, images: torch.Tensor, labels: torch.Tensor, rate: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images = images.to(self.device, memory_format=torch.channels_last_3d)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.mixed):
            output = self.network(images)
        loss = self.loss(output, labels.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), _MAX_GRADIENT_NORM)
        # A step with a gradient that is not finite would ruin the weights for good.
        if norm.isfinite():
            self.optimizer.step()
        self.step += 1
        return loss.item()

    def _rate(self) -> float:
        return self.plan.rate * max(0.0, 1 - self.step / self.plan.steps) ** 0.9

    def _resume(self) -> None:
        tensors, notes = load_tensors(self.checkpoint_path)
        if notes.get("config", self.config) != self.config:
            raise InputError(f"{self.folder} holds the run of another model; choose another folder for this one.")
        self.step = int(notes["step"])
        self.network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("network.")})
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".", 2)
                state.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})


def _optimizer(network: nn.Module, plan: TrainingPlan) -> torch.optim.Optimizer:
    if plan.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), plan.rate, momentum=0.99, nesterov=True, weight_decay=3e-5)
    return torch.optim.AdamW(network.parameters(), plan.rate, weight_decay=1e-2)
