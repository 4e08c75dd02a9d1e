"""The whole way from a CT to segments: locate -> crop each kidney -> predict -> paste back -> clean up -> sides."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..networks.configs import NetworkConfig
from ..progress import Progress, silent
from ..volumes.geometry import voxel_ml
from ..volumes.volume import LabelMap, Volume
from .cleanup import exclude_other_organs, keep_plausible, suppress_implausible
from .grid import Box, Grid, bounds, labels_on_volume, on_grid, shifted_affine
from .growing import finished
from .locate import LocatedKidney, Location, Midline, location_of
from .maps import label_of_class, scores_of
from .models import load
from .network_input import network_grid, network_input
from .network_pass import ALL_AXES, LEFT_RIGHT, PLAIN, choose_device
from .options import Options
from .regions import component_boxes, largest_components, patch_boxes, roi_box, ureter_box
from .registry import find_model
from .sides import to_segments
from .systems import LOCATOR

NO_KIDNEY = "No kidney was found in this volume."
_ROUGH_FAILED = "The model's own search found no kidney; the locator's kidneys were parsed instead."
_UNSEEN = 1e3


def _input_and_output(config: NetworkConfig) -> tuple:
    """What networks must share for the mean of their maps to mean anything."""
    return config.classes, config.activation, config.spacing_mm, config.resize, config.median


def _inside(boxes: list[Box], volume: Volume) -> list[Box]:
    """The boxes' parts within a volume; those that lie beyond it are left out."""
    parts = [box.within(bounds(volume)) for box in boxes]
    return [part for part in parts if (part.high > part.low).all()]


class KidneyParser:
    """Holds the loaded networks of one system; `parse` may be called for any number of CTs.

    Raises InputError if the model is unknown or its weights are missing or not the released ones.
    """

    def __init__(self, options: Options = Options()) -> None:
        self.options = options
        self.device = choose_device(options.device)
        self.system = find_model(options.model).system
        self.networks = {name: load(name, self.device) for name in self.system.networks}
        self.members = [self.networks[name] for name in self.system.members]
        self.config = self.members[0].config
        if len({_input_and_output(member.config) for member in self.members}) > 1:
            raise InputError(f"The networks of {options.model} do not fit together; release them anew.")

    def parse(self, volume: Volume, progress: Progress = silent) -> LabelMap:
        """Segments of a CT on its own grid. A CT without kidneys gives a label map without segments and a note."""
        progress(0.0, "Locating the kidneys")
        location = self._locate(volume)
        kidneys, midline = location.kidneys, location.midline
        boxes, gate, notes = self._regions(volume, kidneys, midline)
        if not boxes:
            progress(1.0, "Done")
            return LabelMap(np.zeros(volume.array.shape, np.uint8), volume.affine, (), (NO_KIDNEY,))
        column = ureter_box(kidneys, midline) if kidneys and "ureter" in self.config.classes else None
        scores, grid = self._scores(volume, boxes, column, gate, progress)
        progress(0.8, "Bringing the result to the CT's grid")
        others = on_grid(location.others, location.grid, grid) > 0.5
        exclude_other_organs(scores, label_of_class(self.config), others)
        suppress_implausible(scores, label_of_class(self.config), grid, midline, [k.box for k in kidneys])
        labels, window = labels_on_volume(scores, grid, volume)
        progress(0.9, "Cleaning up")
        labels = keep_plausible(label_of_class(self.config)[labels], voxel_ml(volume.affine))
        result = self._on_whole_grid(labels, window, volume, midline, notes)
        progress(1.0, "Done")
        return result

    def _locate(self, volume: Volume) -> Location:
        locator = self.networks[LOCATOR]
        grid = network_grid(volume, locator.config)
        hu = network_input(volume, grid, locator.config)
        return location_of(scores_of(locator.maps(hu, self.device), locator.config), hu, grid)

    def _regions(
        self, volume: Volume, kidneys: list[LocatedKidney], midline: Midline
    ) -> tuple[list[Box], tuple[np.ndarray, Grid] | None, tuple[str, ...]]:
        """Boxes to parse, the finder's mask with its grid if the system multiplies by it, and notes for the user."""
        located = [roi_box(kidney, midline) for kidney in kidneys]
        if self.system.finder == LOCATOR:
            return located, None, ()
        finder = self.networks[self.system.finder]
        grid = network_grid(volume, finder.config)
        maps = finder.maps(network_input(volume, grid, finder.config), self.device)
        mask = scores_of(maps, finder.config).argmax(0) > 0
        parts = largest_components(mask, grid)
        if not parts.any():
            return located, None, (_ROUGH_FAILED,)
        if self.system.gated:
            return component_boxes(parts, grid), (mask.astype(np.float32), grid), ()
        return patch_boxes(parts, grid, self.config.patch, network_grid(volume, self.config).spacing), None, ()

    def _wants_tubes(self) -> bool:
        """Whether anything is asked for that goes on below the kidneys' boxes."""
        wanted = self.options.structures
        return wanted is None or not {"artery", "vein", "ureter"}.isdisjoint(wanted)

    def _scores(
        self,
        volume: Volume,
        boxes: list[Box],
        column: Box | None,
        gate: tuple[np.ndarray, Grid] | None,
        progress: Progress,
    ) -> tuple[np.ndarray, Grid]:
        """Scores (C, z, y, x) over all boxes, and the ureters' `column`, on one grid; beyond them the background is
        sure. The grid is the same if the column is not parsed, so that a kidney does not depend on what else is
        wanted."""
        boxes, columns = _inside(boxes, volume), _inside([column] if column else [], volume)
        union = Box(np.min([b.low for b in boxes + columns], 0), np.max([b.high for b in boxes + columns], 0))
        grid = Grid.over(union, network_grid(volume, self.config).spacing)
        maps, seen = self._maps(volume, boxes, columns if self._wants_tubes() else [], grid, progress)
        mask = None if gate is None else on_grid(*gate, grid) > 0.5
        # Unlike KiTS19's, a user's patient may have no tumor.
        maps = finished(maps, mask, self.system.growing, certain=False)
        scores = scores_of(maps, self.config)
        scores[0][~seen] = _UNSEEN
        return scores, grid

    def _maps(
        self, volume: Volume, boxes: list[Box], columns: list[Box], grid: Grid, progress: Progress
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probability maps (outputs, z, y, x), the mean over members and overlapping boxes, and where there are any.
        `columns` fill only what no box has seen."""
        hu = network_input(volume, grid, self.config)
        total = np.zeros((self.config.outputs, *grid.size), np.float32)
        count = np.zeros(grid.size, np.float32)
        regions = [*((box, False) for box in boxes), *((box, True) for box in columns)]
        for index, (box, only_new) in enumerate(regions):
            progress(0.2 + 0.6 * index / len(regions), f"Parsing region {index + 1} of {len(regions)}")
            window = grid.window(box, self.config.stride)
            share = (count[window] == 0).astype(np.float32) if only_new else np.float32(1)
            part = np.ascontiguousarray(hu[window])
            found = sum(member.maps(part, self.device, self._mirrors()) for member in self.members)
            total[(slice(None), *window)] += found * share
            count[window] += len(self.members) * share
        return total / np.maximum(count, 1), count > 0

    def _mirrors(self) -> tuple[tuple[int, ...], ...]:
        # In a mirror image the aorta lies where the cava should.
        tells_vessels = {"artery", "vein"} <= set(self.config.classes)
        if tells_vessels or not (self.options.tta or self.system.mirrored):
            return PLAIN
        return ALL_AXES if self.system.all_axes else LEFT_RIGHT

    def _on_whole_grid(
        self, labels: np.ndarray, window: tuple[slice, ...], volume: Volume, midline: Midline, notes: tuple[str, ...]
    ) -> LabelMap:
        """The chosen structures of a window's labels as segments on the whole CT's grid."""
        part = Volume(volume.array[window], shifted_affine(volume.affine, tuple(w.start for w in window)))
        everything = to_segments(labels, part, midline)
        wanted = self.options.structures
        chosen = tuple(s for s in everything.segments if wanted is None or s.structure.name in wanted)
        array = np.zeros(volume.array.shape, np.uint8)
        array[window] = np.where(np.isin(everything.array, [s.value for s in chosen]), everything.array, 0)
        return LabelMap(array, volume.affine, chosen, notes + self._side_notes(everything))

    def _side_notes(self, result: LabelMap) -> tuple[str, ...]:
        sides = [s.side for s in result.segments if s.structure.name == "kidney"]
        if len(sides) == 2 or "kidney" not in self.config.classes:
            return ()
        return (f"Only a {sides[0]} kidney was found.",) if sides else (NO_KIDNEY,)
