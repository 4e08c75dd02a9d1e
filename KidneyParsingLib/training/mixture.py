"""Samples of two sources in one training: most from one, a share from the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset


@dataclass(frozen=True)
class Mixture(Dataset):
    """As many samples as `main` has; each is one of `other` with probability `share` instead, decided by `seed` and the
    index alone. Where only one source leaves voxels out ("keep", "no_lesion"), all voxels of the other's samples count;
    where only `main` tells how much of a voxel a class fills ("shares"), the other's labels fill theirs."""

    main: Dataset
    other: Dataset
    share: float
    seed: int = 0

    def __len__(self) -> int:
        return len(self.main)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        from_other = np.random.default_rng((self.seed, index, 1)).random() < self.share
        sample = (self.other if from_other else self.main)[index]
        blank = {"keep": torch.ones(sample["labels"].shape), "no_lesion": torch.zeros(sample["labels"].shape)}
        if getattr(self.main, "soft", False):
            blank["shares"] = F.one_hot(sample["labels"], len(self.main.config.classes)).movedim(-1, 0).float()
        if getattr(self.main, "paint_later", False):
            blank |= self.main.nothing_to_paint()
        return blank | sample

    def finished(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The batch with its images painted (`MadeSamples.finished`)."""
        return self.main.finished(batch) if hasattr(self.main, "finished") else batch
