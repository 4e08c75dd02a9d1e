"""The one trainer: runs steps on one or several processes, logs, validates, and resumes from its checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset

from ..errors import InputError
from ..networks.precision import autocast, half_type, loss_scaler
from ..progress import Progress, silent
from .batches import batches, moved
from .countdown import Countdown
from .distributed import copy_from_first, gathered, local_device, rank, replica, share
from .optimization import Schedule, make_optimizer
from .plan import TrainingPlan
from .run_state import Loss, RunState
from .training_log import NoLog, TrainingLog
from .validation import MEAN, ValidationResult

Validation = Callable[[nn.Module], ValidationResult]
# nnU-Net's.
_MAX_GRADIENT_NORM = 12.0


class Trainer:
    """Trains `network` on `samples` (position -> dict of tensors) with `loss(output, batch)`; files go to `folder`.

    A batch is a dict with at least `image` (B, 1, D, H, W) float32. `config` is stored in the checkpoint. A folder with
    a checkpoint is gone on with as if the run had not stopped, on a CPU bit-identically. `validation(network)` runs
    every `plan.validate_every` steps; the network of the best mean Dice is kept in `best.safetensors`. `show` hears
    about once a second how far the run is.

    Under torchrun, within `distributed.distributed()`, every process makes the same trainer and takes its share of each
    global batch; process 0 alone validates, shows and writes. All of them must see `folder`.

    Raises InputError if the folder holds another model's or a differently planned run, if the batch cannot be shared by
    the processes, if the device is not there, or if the plan wants validation and there is none.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        samples: Dataset,
        plan: TrainingPlan,
        folder: Path,
        config: str = "",
        validation: Validation | None = None,
        show: Progress = silent,
    ) -> None:
        if plan.validate_every and validation is None:
            raise InputError(
                "The plan wants validation but there are no cases for it; give some, or set validate_every to 0."
            )
        self.samples, self.plan, self.folder, self.validation = samples, plan, Path(folder), validation
        self._share, self._is_first = share(plan.batch), rank() == 0
        self._show = show if self._is_first else silent
        self.device = local_device(plan.device)
        self._half = half_type(self.device) if plan.mixed else None
        # What samples leave to be done where the batch lies: made ones are painted on the GPU.
        self._finished = getattr(samples, "finished", lambda batch: batch)
        self._state = self._begin(network, loss, config)

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self._state.network

    @property
    def step(self) -> int:
        """The number of steps done."""
        return self._state.step

    @property
    def checkpoint_path(self) -> Path:
        """The state from which a stopped run goes on."""
        return self.folder / "checkpoint.safetensors"

    @property
    def best_path(self) -> Path:
        """The network of the best validation so far."""
        return self.folder / "best.safetensors"

    @property
    def finished(self) -> bool:
        """True when all steps are done, or the plateau schedule has ended the run."""
        return self.step >= self.plan.steps or self._state.schedule.ended

    def run(self) -> None:
        """Trains until `finished`; a run that already is returns at once."""
        if self.finished:
            return
        self.network.train()
        log = TrainingLog(self.folder, self.step) if self._is_first else NoLog()
        try:
            self._train(log)
        finally:
            log.close()
        self.save()

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all; only process 0 does."""
        if self._is_first:
            self._state.save(self.checkpoint_path)

    def _begin(self, network: nn.Module, loss: Loss, config: str) -> RunState:
        network.to(self.device, memory_format=torch.channels_last_3d)
        optimizer, scaler = make_optimizer(network.parameters(), self.plan), loss_scaler(self.device, self._half)
        state = RunState(network, loss, optimizer, scaler, Schedule(self.plan), config)
        if isinstance(loss, nn.Module):
            copy_from_first(loss.to(self.device))
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.checkpoint_path.exists():
            state.load(self.checkpoint_path)
        if len(gathered(torch.tensor([state.step])).unique()) > 1:
            raise InputError(f"The processes see different files in {self.folder}; give them one folder that all see.")
        return state

    def _train(self, log: NoLog) -> None:
        model = replica(self.network, self.device)
        countdown = Countdown(self._show, self.step, self.plan.steps)
        saved = time.monotonic()
        for batch in batches(self.samples, self.plan, self.step, self._share, self.device):
            loss = self._logged_step(model, batch, log)
            countdown(self.step, loss)
            if self._validation_is_due():
                countdown.validating(self.step)
                self._validate(log)
            if self.finished:
                return
            if time.monotonic() - saved > self.plan.checkpoint_seconds:
                log.flush()
                self.save()
                saved = time.monotonic()

    def _logged_step(self, model: nn.Module, batch: dict[str, torch.Tensor], log: NoLog) -> float:
        started, rate = time.monotonic(), self._state.schedule.rate(self.step)
        loss = self._train_step(model, batch, rate)
        log.add_step(self.step, loss, rate, time.monotonic() - started)
        return loss

    def _train_step(self, model: nn.Module, batch: dict[str, torch.Tensor], rate: float) -> float:
        """One step of the optimizer; the mean loss of the global batch."""
        state = self._state
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        batch = self._finished(moved(batch, self.device))
        with autocast(self.device, self._half):
            output = model(batch["image"])
        loss = state.loss(output, batch)
        state.optimizer.zero_grad(set_to_none=True)
        state.scaler.scale(loss).backward()
        state.scaler.unscale_(state.optimizer)
        norm = nn.utils.clip_grad_norm_(state.network.parameters(), _MAX_GRADIENT_NORM)
        # A step with a gradient that is not finite would ruin the weights for good.
        if norm.isfinite():
            state.scaler.step(state.optimizer)
        state.scaler.update()
        state.step += 1
        return gathered(loss.float().cpu()[None]).mean().item()

    def _validation_is_due(self) -> bool:
        every = self.plan.validate_every
        return every > 0 and (self.step % every == 0 or self.step == self.plan.steps)

    def _validate(self, log: NoLog) -> None:
        """Process 0 validates, the others wait for its score, on which all their schedules agree."""
        score = float("nan")
        if self._is_first:
            result = self.validation(self.network)
            log.add_validation(self.step, result)
            score = result.scores[MEAN]
        score = gathered(torch.tensor([score], dtype=torch.float64))[0].item()
        if self._state.schedule.validated(score) and self._is_first:
            self._state.save_network(self.best_path)
