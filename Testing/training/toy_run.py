"""A run that is done in a moment: a network of two layers on cubes in noise. As a program, one process of such a run.

python toy_run.py '{"folders": ["run"], "plan": {"steps": 9}, "hang_at": 5}'
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset

from KidneyParsingLib.progress import Progress, silent
from KidneyParsingLib.training.distributed import distributed, gathered, rank
from KidneyParsingLib.training.plan import TrainingPlan
from KidneyParsingLib.training.trainer import Trainer
from KidneyParsingLib.training.validation import ValidationResult

SIDE = 16


class Cubes(Dataset):
    """A bright cube of 8 voxels a side somewhere in noise, labelled 1; a sample depends on its index alone.

    Whoever asks for the sample `hang_at` waits for ever.
    """

    def __init__(self, length: int, hang_at: int | None = None) -> None:
        self.length = length
        self.hang_at = hang_at

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if index == self.hang_at:
            time.sleep(3600)
        generator = torch.Generator().manual_seed(index)
        labels = torch.zeros(SIDE, SIDE, SIDE, dtype=torch.long)
        z, y, x = torch.randint(0, 8, (3,), generator=generator).tolist()
        labels[z : z + 8, y : y + 8, x : x + 8] = 1
        image = labels[None] * 2.0 + 0.3 * torch.randn(1, SIDE, SIDE, SIDE, generator=generator)
        return {"image": image, "labels": labels}


def toy_network() -> nn.Module:
    """Two layers with the same weights every time."""
    torch.manual_seed(0)
    layers = (nn.Conv3d(1, 4, 3, padding=1), nn.InstanceNorm3d(4, affine=True), nn.LeakyReLU(), nn.Conv3d(4, 2, 1))
    return nn.Sequential(*layers)


class WeightedLoss(nn.Module):
    """Cross-entropy whose class weights follow a moving average of the classes' shares, one sample after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shares", torch.full((2,), 0.5))

    def forward(self, output: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        foreground = gathered(batch["labels"].float().mean((1, 2, 3)))
        for share in foreground:
            self.shares.lerp_(torch.stack([1 - share, share]), 0.1)
        weights = 0.5 / self.shares
        per_voxel = F.cross_entropy(output.float(), batch["labels"], reduction="none")
        return (per_voxel * weights[batch["labels"]]).mean()


def falling_score(network: nn.Module) -> ValidationResult:
    """A score that falls as the weights grow, so that a plateau comes soon; no picture."""
    assert rank() == 0
    return ValidationResult({"mean": -float(sum(p.detach().square().sum() for p in network.parameters()))})


def toy_trainer(folder: Path, plan: dict, hang_at: int | None = None, show: Progress = silent) -> Trainer:
    """The trainer of the toy; a short plan in float32 and in one process is the default."""
    full = TrainingPlan(**{"steps": 8, "rate": 1e-2, "mixed": False, "workers": 0, **plan})
    validation = falling_score if full.validate_every else None
    samples = Cubes(full.steps * full.batch, hang_at)
    return Trainer(toy_network(), WeightedLoss(), samples, full, folder, "toy", validation, show)


def main(folders: list[str], plan: dict, hang_at: int | None = None) -> None:
    """Trains in every folder in the process group that the environment describes; every process leaves what it
    gathered from all in the first folder."""
    torch.set_num_threads(1)
    with distributed():
        for folder in folders:
            toy_trainer(Path(folder), plan, hang_at).run()
        ranks = gathered(torch.tensor([[rank(), 10 * rank()]]))
        Path(folders[0], f"gathered_{rank()}.json").write_text(json.dumps(ranks.tolist()))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
