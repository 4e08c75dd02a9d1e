"""The whole way from a CT to segments: locate -> crop each kidney -> predict -> paste back -> clean up -> sides."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..anatomy import STRUCTURES, LEFT
from ..networks.checkpoint import load_network
from ..networks.configs import NetworkConfig
from ..progress import Progress, silent
from ..volumes.geometry import voxel_ml
from ..volumes.volume import LabelMap, Volume
from .cleanup import keep_plausible, suppress_implausible
from .grid import Box, Grid, bounds, labels_on_volume, resampled
from .locate import LocatedKidney, Midline, find_kidneys, find_midline
from .network_pass import choose_device, predict_logits
from .options import Options
from .registry import find_model
from .sides import to_segments

# Around a kidney's box, mm. The great vessels are reached by going past the midline, the ureter by going down.
_MARGIN_MM = 24.0
_BELOW_MM = 40.0
_PAST_MIDLINE_MM = 30.0


class KidneyParser:
    """Holds the loaded networks of one model; `parse` may be called for any number of CTs.

    Raises InputError if the model is unknown or its weights are missing or not the released ones.
    """

    def __init__(self, options: Options = Options()) -> None:
        self.options = options
        self.device = choose_device(options.device)
        self.locator, self.locator_config = self._load("locator")
        self.network, self.config = self._load(options.model)

    def parse(self, volume: Volume, progress: Progress = silent) -> LabelMap:
        """Segments of a CT on its own grid. A CT without kidneys gives a label map without segments and a note."""
        progress(0.0, "Locating the kidneys")
        kidneys, midline = self._locate(volume)
        if not kidneys:
            empty = np.zeros(volume.array.shape, np.uint8)
            return LabelMap(empty, volume.affine, (), ("No kidney was found in this volume.",))
        logits, grid = self._predict(volume, kidneys, midline, progress)
        progress(0.8, "Bringing the result to the CT's grid")
        suppress_implausible(logits, grid, midline)
        labels = labels_on_volume(logits, grid, volume)
        progress(0.9, "Cleaning up")
        labels = keep_plausible(labels, voxel_ml(volume.affine))
        result = to_segments(self._chosen(labels), volume, midline, _notes(kidneys))
        progress(1.0, "Done")
        return result

    def _load(self, name: str) -> tuple[nn.Module, NetworkConfig]:
        info = find_model(name)
        network, config = load_network(info.path, info.sha256)
        return network.to(self.device, memory_format=torch.channels_last_3d), config

    def _locate(self, volume: Volume) -> tuple[list[LocatedKidney], Midline]:
        grid = Grid.over(bounds(volume), self.locator_config.spacing_mm)
        hu = resampled(volume, grid)
        logits = predict_logits(self.locator, self.locator_config, hu, self.device)
        midline = find_midline(logits.argmax(0), hu, grid)
        return find_kidneys(logits, grid, midline), midline

    def _predict(
        self, volume: Volume, kidneys: list[LocatedKidney], midline: Midline, progress: Progress
    ) -> tuple[np.ndarray, Grid]:
        """Logits (C, z, y, x) over all kidney ROIs on one grid; where ROIs overlap, their mean."""
        boxes = [roi_box(kidney, midline).within(bounds(volume)) for kidney in kidneys]
        union = Box(np.min([b.low for b in boxes], 0), np.max([b.high for b in boxes], 0))
        grid = Grid.over(union, self.config.spacing_mm)
        hu = resampled(volume, grid)
        logits = np.zeros((len(self.config.classes), *grid.size), np.float32)
        count = np.zeros(grid.size, np.float32)
        for index, box in enumerate(boxes):
            progress(0.2 + 0.6 * index / len(boxes), f"Parsing the {kidneys[index].side} kidney")
            window = grid.window(box)
            logits[(slice(None), *window)] += predict_logits(
                self.network, self.config, np.ascontiguousarray(hu[window]), self.device, self.options.tta
            )
            count[window] += 1
        logits /= np.maximum(count, 1)
        logits[0][count == 0] = 1e3
        return logits, grid

    def _chosen(self, labels: np.ndarray) -> np.ndarray:
        if self.options.structures is None:
            return labels
        unwanted = [s.label for s in STRUCTURES if s.name not in self.options.structures]
        return np.where(np.isin(labels, unwanted), 0, labels).astype(np.uint8)


def roi_box(kidney: LocatedKidney, midline: Midline) -> Box:
    """The box in which one kidney with its vessels and upper ureter is parsed."""
    box = kidney.box.grown((_MARGIN_MM,) * 2 + (_BELOW_MM,), (_MARGIN_MM,) * 3)
    middle = float(midline.at((box.low[2] + box.high[2]) / 2))
    low, high = box.low.copy(), box.high.copy()
    if kidney.side == LEFT:
        low[0] = min(low[0], middle - _PAST_MIDLINE_MM)
    else:
        high[0] = max(high[0], middle + _PAST_MIDLINE_MM)
    return Box(low, high)


def _notes(kidneys: list[LocatedKidney]) -> tuple[str, ...]:
    if len(kidneys) == 2:
        return ()
    return (f"Only a {kidneys[0].side} kidney was found.",)
