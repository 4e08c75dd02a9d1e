"""The trainer learns, logs, and goes on after a stop as if there had been none."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.networks.registry import build
from KidneyParsingLib.training.losses import ba_net_loss, plain_loss
from KidneyParsingLib.training.trainer import Trainer, TrainingPlan

LOCATOR = replace(config("locator"), features=(4, 6))
BA_NET = replace(config("ba_net"), features=(4, 4, 6, 6, 8))


class Blobs(Dataset):
    """A bright cube somewhere in noise, labelled 1; a sample depends on its index alone."""

    def __init__(self, length: int, depth: int = 16) -> None:
        self.length = length
        self.depth = depth

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(index)
        labels = torch.zeros(self.depth, 16, 16, dtype=torch.long)
        z, y, x = torch.randint(0, 8, (3,), generator=generator).tolist()
        labels[z : z + 8, y : y + 8, x : x + 8] = 1
        return labels[None] * 2.0 + 0.3 * torch.randn(1, self.depth, 16, 16, generator=generator), labels


def make_trainer(folder: Path, steps: int, **changes: object) -> Trainer:
    torch.manual_seed(0)
    plan = TrainingPlan(**{"steps": steps, "rate": 1e-2, "mixed": False, "workers": 0, **changes})
    return Trainer(build(LOCATOR), plain_loss, Blobs(steps * plan.batch), plan, folder)


def losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open() as file:
        return [float(row[1]) for row in csv.reader(file)]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_loss_falls(tmp_path: Path, optimizer: str) -> None:
    make_trainer(tmp_path, 60, optimizer=optimizer).run()
    curve = losses(tmp_path)
    assert len(curve) == 60
    assert sum(curve[-5:]) < 0.8 * sum(curve[:5])


def test_ba_net_learns_with_its_own_loss(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plan = TrainingPlan(steps=40, rate=1e-2, mixed=False, workers=0)
    Trainer(build(BA_NET), ba_net_loss, Blobs(40, depth=32), plan, tmp_path).run()
    curve = losses(tmp_path)
    assert sum(curve[-5:]) < 0.8 * sum(curve[:5])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_stopped_run_goes_on_bit_identically(tmp_path: Path, optimizer: str) -> None:
    whole = make_trainer(tmp_path / "whole", 8, optimizer=optimizer)
    whole.run()
    first = make_trainer(tmp_path / "parts", 8, optimizer=optimizer)
    for images, labels in list(first._batches())[:3]:
        first._train_step(images, labels, first._rate())
    first.save()
    second = make_trainer(tmp_path / "parts", 8, optimizer=optimizer)
    assert second.step == 3
    second.run()
    for a, b in zip(whole.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    make_trainer(tmp_path, 2).run()
    again = make_trainer(tmp_path, 2)
    again.run()
    assert again.step == 2 and len(losses(tmp_path)) == 2


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(tmp_path, 2)
    trainer.run()
    before = trainer.checkpoint_path.read_bytes()

    def fail(tensors: dict, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("KidneyParsingLib.networks.checkpoint.save_file", fail)
    with pytest.raises(OSError):
        trainer.save()
    assert trainer.checkpoint_path.read_bytes() == before


def test_the_run_of_another_model_is_not_gone_on_with(tmp_path: Path) -> None:
    plan = TrainingPlan(steps=1, mixed=False, workers=0)
    Trainer(build(LOCATOR), plain_loss, Blobs(1), plan, tmp_path, "one").run()
    with pytest.raises(InputError, match="another model"):
        Trainer(build(LOCATOR), plain_loss, Blobs(1), plan, tmp_path, "two")


def test_a_sample_that_is_not_finite_does_not_ruin_the_weights(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, 2)
    images, labels = Blobs(1)[0]
    trainer._train_step(images[None] * float("nan"), labels[None], rate=1e-3)
    assert all(p.isfinite().all() for p in trainer.network.parameters())
