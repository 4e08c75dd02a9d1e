"""An arm's label map of one stored test scan, by the predictor's own parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import cc3d
import numpy as np
import torch

from ..anatomy import ORGAN_LABELS
from ..inference.backends.torch_backend import TorchBackend
from ..inference.grid import Grid, on_grid
from ..inference.growing import finished
from ..inference.maps import label_of_class, scores_of
from ..inference.network_pass import ALL_AXES, PLAIN, PassPlan, Predictor, View
from ..inference.regions import largest_components, patch_boxes
from ..networks.configs import NetworkConfig
from ..networks.precision import half_type
from ..training.cases import StoredCase
from .experiment import Arm, Run

# Connected-component post-processing, the same for every arm: parts smaller than this share of the largest go.
_SMALLEST_PART = 0.1
_ROI_MARGIN_MM = (24.0, 24.0, 24.0)


@dataclass(frozen=True)
class Trained:
    """A trained network with its configuration."""

    network: torch.nn.Module
    config: NetworkConfig


# (run, scan's name) -> the scan as the run's network wants it.
CaseOf = Callable[[Run, str], StoredCase]


def grid_of(case: StoredCase) -> Grid:
    """The stored scan's grid; all grids of one scan share their outer corner, which is at 0 here."""
    return Grid(np.array(case.spacing[::-1]) / 2, tuple(case.spacing), tuple(case.hu.shape))


def roi_windows(case: StoredCase) -> list[tuple[slice, ...]]:
    """Windows (z, y, x) around the true kidneys, 24 mm wider."""
    grid = grid_of(case)
    parts = largest_components(np.isin(case.labels, ORGAN_LABELS), grid)
    boxes = [grid.box_of(parts == part) for part in np.unique(parts[parts > 0])]
    return [grid.window(box.grown(_ROI_MARGIN_MM, _ROI_MARGIN_MM)) for box in boxes]


class ArmPredictor:
    """Predicts test scans with the networks of an arm; `runs` are the averaged ones, `finder` the one that finds
    kidneys."""

    def __init__(
        self,
        arm: Arm,
        runs: Sequence[Run],
        trained: dict[str, Trained],
        case_of: CaseOf,
        finder: Run | None,
        device: torch.device,
    ) -> None:
        self.arm, self.runs, self.trained, self.case_of = arm, runs, trained, case_of
        self.finder, self.device = finder, device

    def labels(self, name: str) -> np.ndarray:
        """uint8 structure labels (z, y, x) on the grid of the first run."""
        config = self.trained[self.runs[0].name].config
        grid = grid_of(self.case_of(self.runs[0], name))
        windows, gate = self._regions(name, grid, config)
        maps, seen = self._maps(name, grid, windows)
        maps = finished(maps, gate, self.arm.growing)
        classes = np.where(seen, scores_of(maps, config).argmax(0), 0)
        return without_specks(label_of_class(config)[classes])

    def _maps(self, name: str, grid: Grid, windows: list[tuple[slice, ...]]) -> tuple[np.ndarray, np.ndarray]:
        """Mean maps (outputs, z, y, x) of the runs, and which voxels they cover."""
        outputs = self.trained[self.runs[0].name].config.outputs
        total = np.zeros((outputs, *grid.size), np.float32)
        count = np.zeros(grid.size, np.float32)
        views = ALL_AXES if self.arm.mirrored else PLAIN
        for run in self.runs:
            trained, hu = self.trained[run.name], self.case_of(run, name).hu
            for window in windows:
                total[(slice(None), *window)] += self._predicted(trained, hu[window], views)
                count[window] += 1
        return total / np.maximum(count, 1), count > 0

    def _predicted(self, trained: Trained, hu: np.ndarray, views: tuple[View, ...] = PLAIN) -> np.ndarray:
        """Maps of a part of a scan, in the precision that the network was trained in."""
        part = np.ascontiguousarray(hu, np.float32)
        backend = TorchBackend(trained.network, trained.config, self.device, half_type(self.device))
        return Predictor(backend, trained.config).maps(part, PassPlan(views))

    def _regions(
        self, name: str, grid: Grid, config: NetworkConfig
    ) -> tuple[list[tuple[slice, ...]], np.ndarray | None]:
        """Windows to predict: the whole scan, or around what the finder found; and the finder's mask for gated arms."""
        everything = [tuple(slice(0, n) for n in grid.size)]
        if self.arm.roi:
            return roi_windows(self.case_of(self.runs[0], name)), None
        if self.finder is None:
            return everything, None
        case, finder = self.case_of(self.finder, name), self.trained[self.finder.name]
        rough = grid_of(case)
        mask = scores_of(self._predicted(finder, case.hu), finder.config).argmax(0) > 0
        if self.arm.gated:
            return everything, on_grid(mask.astype(np.float32), rough, grid) > 0.5
        boxes = patch_boxes(largest_components(mask, rough), rough, config.patch, grid.spacing)
        return [grid.window(box, config.stride) for box in boxes], None


def without_specks(labels: np.ndarray) -> np.ndarray:
    """The labels without components smaller than a tenth of their structure's largest one."""
    kept = labels.copy()
    for label in np.unique(labels[labels > 0]):
        parts = cc3d.connected_components(labels == label, connectivity=26)
        voxels = np.bincount(parts.ravel())
        voxels[0] = 0
        small = voxels < _SMALLEST_PART * voxels.max()
        small[0] = False
        kept[small[parts]] = 0
    return kept


def predictors(arm: Arm, all_runs: list[Run], done: set[str]) -> list[list[Run]]:
    """The groups of runs that an arm is predicted with: one group a seed that all its variants have, or one of all."""
    of = {v: [r for r in all_runs if r.variant.name == v and r.name in done] for v in arm.variants}
    if arm.pooled:
        return [list(chain.from_iterable(of.values()))] if all(of.values()) else []
    seeds = set.intersection(*({r.seed for r in runs} for runs in of.values()))
    return [[r for v in arm.variants for r in of[v] if r.seed == seed] for seed in sorted(seeds)]
