"""Batches in a fixed order: a sample's index is its position in the run, so that a resumed run sees what it would have
seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

from .plan import TrainingPlan


def batches(samples: Dataset, plan: TrainingPlan, first: int, share: range, device: torch.device) -> DataLoader:
    """The batches of the steps `first`, `first` + 1, ... of a plan: of each global batch the samples in `share`."""
    return DataLoader(
        samples,
        batch_sampler=_Positions(range(first, plan.steps), plan.batch, share),
        num_workers=plan.workers,
        prefetch_factor=4 if plan.workers else None,
        pin_memory=device.type == "cuda",
    )


@dataclass(frozen=True)
class _Positions:
    steps: range
    batch: int
    share: range

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            yield [step * self.batch + position for position in self.share]


def moved(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    """The batch on a device, its image channels-last, in which 3D convolutions are fastest."""
    on_device = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
    return on_device | {"image": on_device["image"].contiguous(memory_format=torch.channels_last_3d)}
