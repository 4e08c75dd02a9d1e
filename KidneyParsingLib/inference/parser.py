"""The whole way from a CT to segments: locate -> crop each kidney -> predict -> paste back -> clean up -> sides."""

from __future__ import annotations

import numpy as np
from torch import nn

from ..anatomy import LEFT
from ..errors import InputError
from ..networks.checkpoint import load_network
from ..networks.configs import NetworkConfig
from ..progress import Progress, silent
from ..volumes.geometry import voxel_ml
from ..volumes.volume import LabelMap, Volume
from .cleanup import keep_plausible, suppress_implausible
from .grid import Box, Grid, bounds, labels_on_volume, resampled, shifted_affine
from .locate import LocatedKidney, Midline, find_kidneys, find_midline
from .network_pass import choose_device, predict_logits, to_device
from .options import Options
from .registry import find_model
from .sides import to_segments

# Around a kidney's box, mm. The great vessels are reached by going past the midline, the ureter by going down.
_MARGIN_MM = 24.0
_BELOW_MM = 40.0
_PAST_MIDLINE_MM = 30.0
NO_KIDNEY = "No kidney was found in this volume."


class KidneyParser:
    """Holds the loaded networks of one model; `parse` may be called for any number of CTs.

    Raises InputError if the model is unknown or its weights are missing or not the released ones.
    """

    def __init__(self, options: Options = Options()) -> None:
        self.options = options
        self.device = choose_device(options.device)
        if not find_model(options.model).selectable:
            raise InputError(f"The model {options.model!r} is no segmentation model; see: kidneyparsing models")
        self.locator, self.locator_config = self._load("locator")
        self.network, self.config = self._load(options.model)

    def parse(self, volume: Volume, progress: Progress = silent) -> LabelMap:
        """Segments of a CT on its own grid. A CT without kidneys gives a label map without segments and a note."""
        progress(0.0, "Locating the kidneys")
        kidneys, midline = self._locate(volume)
        if not kidneys:
            progress(1.0, "Done")
            return LabelMap(np.zeros(volume.array.shape, np.uint8), volume.affine, (), (NO_KIDNEY,))
        logits, grid = self._predict(volume, kidneys, midline, progress)
        progress(0.8, "Bringing the result to the CT's grid")
        suppress_implausible(logits, grid, midline)
        labels, window = labels_on_volume(logits, grid, volume)
        progress(0.9, "Cleaning up")
        labels = keep_plausible(labels, voxel_ml(volume.affine))
        result = self._on_whole_grid(labels, window, volume, midline)
        progress(1.0, "Done")
        return result

    def _load(self, name: str) -> tuple[nn.Module, NetworkConfig]:
        info = find_model(name)
        network, config = load_network(info.path, info.sha256)
        return to_device(network, self.device), config

    def _locate(self, volume: Volume) -> tuple[list[LocatedKidney], Midline]:
        grid = Grid.over(bounds(volume), self.locator_config.spacing_mm)
        hu = resampled(volume, grid)
        logits = predict_logits(self.locator, self.locator_config, hu, self.device)
        midline = find_midline(logits.argmax(0), hu, grid)
        return find_kidneys(logits, hu, grid, midline), midline

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
            window = grid.window(box, self.config.stride)
            logits[(slice(None), *window)] += predict_logits(
                self.network, self.config, np.ascontiguousarray(hu[window]), self.device, self.options.tta
            )
            count[window] += 1
        logits /= np.maximum(count, 1)
        logits[0][count == 0] = 1e3
        return logits, grid

    def _on_whole_grid(
        self, labels: np.ndarray, window: tuple[slice, ...], volume: Volume, midline: Midline
    ) -> LabelMap:
        """The chosen structures of a window's labels as segments on the whole CT's grid."""
        part = Volume(volume.array[window], shifted_affine(volume.affine, tuple(w.start for w in window)))
        everything = to_segments(labels, part, midline)
        wanted = self.options.structures
        chosen = tuple(s for s in everything.segments if wanted is None or s.structure.name in wanted)
        array = np.zeros(volume.array.shape, np.uint8)
        array[window] = np.where(np.isin(everything.array, [s.value for s in chosen]), everything.array, 0)
        return LabelMap(array, volume.affine, chosen, _notes(everything))


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


def _notes(result: LabelMap) -> tuple[str, ...]:
    sides = [s.side for s in result.segments if s.structure.name == "kidney"]
    if len(sides) == 2:
        return ()
    return (f"Only a {sides[0]} kidney was found.",) if sides else (NO_KIDNEY,)
