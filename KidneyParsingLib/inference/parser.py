"""The whole way from a CT to segments: locate -> crop -> predict -> paste back -> clean up -> sides -> review."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..allocator import give_back_memory
from ..anatomy import LEFT, LESIONS, ORGAN_LABELS, RIGHT, TUBES, structure
from ..errors import InputError
from ..networks.configs import NetworkConfig
from ..progress import Progress, silent
from ..sentences import texts_of
from ..volumes.geometry import voxel_ml
from ..volumes.lookup import exchanged
from ..volumes.volume import LabelMap, Volume
from .backends.backend import Tick
from .backends.choice import ON_CPU
from .cleanup import (
    disfavour_other_organs,
    implausible,
    keep_plausible,
    suppress,
    unlikely_kidney,
    without_unlikely_kidneys,
)
from .contrast import disfavour_lesions, is_plain
from .devices import CPU, device_of
from .fine_parts import FinePart, labels_with_parts, suppress_in
from .grid import Box, Grid, bounds, on_grid, shifted_affine
from .growing import finished
from .locate import Location, Midline, right_of_midline
from .maps import UNSEEN, label_of_class, scores_of, winners
from .models import load
from .network_pass import PassPlan, Predictor, no_log
from .opacified import follow_arteries, follow_urine
from .options import AUTO, WHOLE, Options
from .passes import ParsedMaps, Passes
from .quality import plan_of, quality_of
from .regions import is_cut
from .registry import ModelInfo, find_model
from .resampling import resampled
from .reviewing import Review, reviewed
from .search import Regions, around_found, around_located, locate, whole_scan
from .second_look import divides, look_again, second_look_seconds
from .sides import to_segments
from .steps import Step, Steps
from .systems import LOCATOR

_ = texts_of(__name__)

KIDNEY = "kidney"
TUMOR = "tumor"
NO_KIDNEY = _("No kidney was found in this volume.")
_BEYOND = _("The whole scan was searched, as a kidney reached beyond where it was located.")
_ONE_KIDNEY = {RIGHT: _("Only a right kidney was found."), LEFT: _("Only a left kidney was found.")}
_PLAIN = _("No contrast medium was seen: only sure lesions are shown.")
# Of so many voxels an axis one is looked at for contrast medium.
_EVERY = 2
# The fraction of a run's progress when the kidneys are located; what comes after the passes, as a share of them.
_FOUND = 0.1
# Its fraction when a kidney turns out to reach beyond its region, and all is done again.
_CUT = 0.92
_REST = 0.2
_MOST_AGAIN = 0.5


def _input_and_output(config: NetworkConfig) -> tuple:
    """What networks must share for the mean of their maps to mean anything."""
    return config.classes, config.activation, config.spacing_mm, config.resize, config.median


class KidneyParser:
    """Holds the loaded networks of one system; `parse` may be called for any number of CTs.

    `log` is told what users may want to know of a run but need not read. Raises InputError if the model is unknown or
    its weights are missing or not the released ones.
    """

    def __init__(self, options: Options = Options(), log: Callable[[str], None] = no_log) -> None:
        self.options = options
        self._log = log
        self.device = CPU if options.device == AUTO and options.backend in ON_CPU else device_of(options.device)
        model = find_model(options.model)
        _check_structures(options.structures, model)
        self.system = model.system
        half = quality_of(options).half
        self.networks = {name: load(name, self.device, options.backend, half, log) for name in model.network_names}
        self.members = [self.networks[name] for name in self.system.members]
        self.config = self.members[0].config
        if len({_input_and_output(member.config) for member in self.members}) > 1:
            raise InputError(
                _("The networks of {model} do not fit together; release them anew.").format(model=options.model)
            )
        self.second_look = self._second_look_network()

    @property
    def _plan(self) -> PassPlan:
        return plan_of(self.options, self.system, self.config)

    def parse(self, volume: Volume, progress: Progress = silent) -> LabelMap:
        """Segments of a CT on its own grid. A CT without kidneys gives a label map without segments and a note."""
        for network in self.networks.values():
            network.begin()
        first = Steps(progress, 0.0, _FOUND, [Step(_("Locating the kidneys"), 1.0)]).next()
        location = locate(self.networks[LOCATOR], volume, first)
        regions = self._regions(volume, location, first)
        self._give_back_memory()  # what reading and locating took must not add to what comes
        result = self._parsed(volume, location, regions, progress, _FOUND)
        if result is None:
            result = self._parsed(volume, location, whole_scan(volume, (_BEYOND,)), progress, _CUT)
        progress(1.0, _("Done"))
        return result

    def _give_back_memory(self) -> None:
        for network in self.networks.values():
            network.release()
        give_back_memory()

    def _regions(self, volume: Volume, location: Location, tick: Tick) -> Regions:
        if self.options.region == WHOLE:
            return whole_scan(volume)
        located = self._around_located(volume, location)
        if self.system.finder != LOCATOR:
            finder = self.networks[self.system.finder]
            # Located is located: the finder may be stopped, but is no further progress.
            return around_found(finder, self.system.gated, self.config, located, volume, lambda share: tick(1.0))
        if location.doubt:
            self._log(_("The whole scan is parsed, as {doubt}.").format(doubt=location.doubt))
            note = _("The whole scan was searched, as {doubt}.").format(doubt=location.doubt)
            return whole_scan(volume, (note,))
        return located

    def _around_located(self, volume: Volume, location: Location) -> Regions:
        """The located kidneys' boxes: with wide margins where they then still go in one pass."""
        with_ureters = "ureter" in self.config.classes
        if quality_of(self.options).wide:
            regions = around_located(location, volume, with_ureters, wide=True)
            if regions.boxes and Passes(self.members, self._plan, volume, regions, False).fit:
                return regions
        return around_located(location, volume, with_ureters)

    def _second_look_network(self) -> Predictor | None:
        """The network that looks again, where there is one that goes with the members."""
        network = self.networks.get(self.system.second_look)
        if network is None:
            return None
        if divides(network.config, self.config) and set(network.config.classes) <= set(self.config.classes):
            return network
        self._log(
            _("Nothing is looked at again: the networks {networks} do not fit together.").format(
                networks=", ".join((*self.system.members, self.system.second_look))
            )
        )
        return None

    def _wants_columns(self) -> bool:
        """Whether anything is asked for that goes on below the kidneys' boxes, and is to be looked for there."""
        wanted = self.options.structures
        if not quality_of(self.options).columns:
            return False
        return wanted is None or not set(TUBES).isdisjoint(wanted)

    def _parsed(
        self, volume: Volume, location: Location, regions: Regions, progress: Progress, start: float
    ) -> LabelMap | None:
        """The segments that the regions show, or None if a kidney reaches beyond them; progress begins at `start`."""
        if not regions.boxes:
            return self._nothing(volume, regions)
        passes = Passes(self.members, self._plan, volume, regions, self._wants_columns())
        again = second_look_seconds(self.second_look) if self.second_look else 0.0
        steps = _steps(passes.expected_seconds(), progress, start, again)
        parsed = passes.run(steps.next)
        self._give_back_memory()
        scores = self._scores(parsed, regions)
        parts: list[FinePart] = []
        if self.second_look:
            parts = look_again(scores, self.config, parsed.grid, self.second_look, volume, steps.next())
            self._give_back_memory()
        tick = steps.next()  # called between all that takes time, so that a run can be cancelled there
        tick(0.1)
        notes = regions.notes
        if self.options.cleanup:
            notes += self._doubt_lesions(scores, parts, parsed, volume)
            labels, mask = self._plausible(scores, parts, parsed, location, volume)
            tick(0.3)
            if self._is_cut(labels, parsed, regions, volume):
                return None
            review = self._review(scores, labels, parsed)
            tick(0.6)
            suppress(scores, mask)
            suppress_in(parts, mask, labels > 0, parsed.grid)
        else:
            review = self._review(scores, label_of_class(self.config)[winners(scores)], parsed)
        fine, window = labels_with_parts(scores, parsed.grid, parts, volume, lambda share: tick(0.6 + 0.4 * share))
        fine = exchanged(fine, label_of_class(self.config))
        del scores, parsed, parts
        tick = steps.next()
        if self.options.cleanup:
            fine = self._cleaned(fine, volume, window, regions.whole and not location.kidneys)
        tick(0.5)
        return self._on_whole_grid(fine, window, volume, location.midline, notes, review)

    def _doubt_lesions(
        self, scores: np.ndarray, parts: list[FinePart], parsed: ParsedMaps, volume: Volume
    ) -> tuple[str, ...]:
        """Lets only sure lesions win in the scores of a CT without contrast medium; a note says so."""
        of_class = label_of_class(self.config)
        if not (of_class == structure(TUMOR).label).any():
            return ()
        thinned = of_class[winners(scores[:, ::_EVERY, ::_EVERY, ::_EVERY])]
        if not is_plain(thinned, parsed.grid.thinned(_EVERY), volume):
            return ()
        for some in (scores, *(part.scores for part in parts)):
            disfavour_lesions(some, of_class)
        wanted = self.options.structures
        return (_PLAIN,) if wanted is None or not set(LESIONS).isdisjoint(wanted) else ()

    def _plausible(
        self, scores: np.ndarray, parts: list[FinePart], parsed: ParsedMaps, location: Location, volume: Volume
    ) -> tuple[np.ndarray, np.ndarray]:
        """Structure labels (z, y, x) of scores without what is implausible, and the mask of this."""
        grid = parsed.grid
        of_class = label_of_class(self.config)
        others = on_grid(location.others, location.grid, grid) > 0.5
        disfavour_other_organs(scores, of_class, others)
        for part in parts:
            disfavour_other_organs(part.scores, of_class, on_grid(location.others, location.grid, part.grid) > 0.5)
        labels = of_class[winners(scores)]
        mask = implausible(labels, KIDNEY in self.config.classes, grid, location.midline, _boxes(location), others)
        labels[mask] = 0
        if len(location.kidneys) == 1 and self.system.finder == LOCATOR and KIDNEY in self.config.classes:
            is_right = np.broadcast_to(right_of_midline(grid, location.midline), labels.shape)
            elsewhere = ~is_right if location.kidneys[0].side == RIGHT else is_right
            ml = float(np.prod(grid.spacing)) / 1000
            unlikely = unlikely_kidney(labels, resampled(volume, grid), elsewhere, ml)
            mask |= unlikely
            labels[unlikely] = 0
        return labels, mask

    def _cleaned(self, labels: np.ndarray, volume: Volume, window: tuple[slice, ...], unconfirmed: bool) -> np.ndarray:
        """Labels of a window of the CT as sharp as contrast medium shows them, without specks, and without kidneys that
        are none if they are `unconfirmed`."""
        voxels = Grid(np.zeros(3), tuple(volume.spacing[::-1].tolist()), labels.shape)
        follow_arteries(labels, volume.array[window], voxels)  # first: it may join to the rest what would be a speck
        labels = keep_plausible(labels, voxel_ml(volume.affine))
        if follow_urine(labels, volume.array[window], voxels):
            labels = keep_plausible(labels, voxel_ml(volume.affine))
        if unconfirmed and KIDNEY in self.config.classes:
            return without_unlikely_kidneys(labels, volume.array[window], voxel_ml(volume.affine))
        return labels

    def _scores(self, parsed: ParsedMaps, regions: Regions) -> np.ndarray:
        """Scores (C, z, y, x) of the maps, in their memory; beyond the regions the background is sure."""
        mask = None if regions.gate is None else on_grid(*regions.gate, parsed.grid) > 0.5
        # Unlike KiTS19's, a user's patient may have no tumor.
        maps = finished(parsed.maps, mask, self.system.growing, certain=False)
        scores = scores_of(maps, self.config)
        scores[0][~parsed.seen] = UNSEEN
        return scores

    def _is_cut(self, labels: np.ndarray, parsed: ParsedMaps, regions: Regions, volume: Volume) -> bool:
        """Whether a kidney, or a lesion of it, goes on beyond the located regions."""
        if regions.whole or self.system.finder != LOCATOR:
            return False
        return is_cut(np.isin(labels, ORGAN_LABELS), parsed.seen, parsed.grid, bounds(volume))

    def _review(self, scores: np.ndarray, labels: np.ndarray, parsed: ParsedMaps) -> Review:
        """Places worth a look and the uncertainty, if they are asked for; `labels` (z, y, x) are cleaned up."""
        if not self.options.review:
            return Review()
        # What is dropped as a speck later on the CT's grid must not be asked about.
        kept = keep_plausible(labels, float(np.prod(parsed.grid.spacing)) / 1000)
        return reviewed(scores, kept, self.config, parsed, self.options.structures)

    def _nothing(self, volume: Volume, regions: Regions) -> LabelMap:
        return LabelMap(np.zeros(volume.array.shape, np.uint8), volume.affine, (), (*regions.notes, NO_KIDNEY))

    def _on_whole_grid(
        self, labels: np.ndarray, window: tuple[slice, ...], volume: Volume, midline: Midline, notes: tuple[str, ...],
        review: Review,
    ) -> LabelMap:  # fmt: skip
        """The chosen structures of a window's labels as segments on the whole CT's grid."""
        part = Volume(volume.array[window], shifted_affine(volume.affine, tuple(w.start for w in window)))
        everything = to_segments(labels, part, midline)
        wanted = self.options.structures
        chosen = tuple(s for s in everything.segments if wanted is None or s.structure.name in wanted)
        kept = np.zeros(256, np.uint8)
        kept[[s.value for s in chosen]] = [s.value for s in chosen]
        array = np.zeros(volume.array.shape, np.uint8)
        array[window] = exchanged(everything.array, kept)
        notes += self._side_notes(everything)
        if NO_KIDNEY in notes:  # what was taken for one at first says nothing about contrast medium
            notes = tuple(note for note in notes if note != _PLAIN)
            review = review if everything.segments else Review()  # there is nothing left to look at
        return LabelMap(array, volume.affine, chosen, notes, review.places, review.uncertainty)

    def _side_notes(self, result: LabelMap) -> tuple[str, ...]:
        sides = [s.side for s in result.segments if s.structure.name == KIDNEY]
        if len(sides) == 2 or KIDNEY not in self.config.classes:
            return ()
        return (_ONE_KIDNEY[sides[0]],) if sides else (NO_KIDNEY,)


def _check_structures(wanted: tuple[str, ...] | None, model: ModelInfo) -> None:
    unknown = [name for name in wanted or () if name not in model.structures]
    if unknown:
        text = _("The model {model} does not segment {structures}; leave that out.")
        raise InputError(text.format(model=model.name, structures=", ".join(unknown)))
    if wanted == ():
        raise InputError(_("No structure was asked for; name one at least."))


def _boxes(location: Location) -> list[Box]:
    return [kidney.box for kidney in location.kidneys]


def _steps(seconds: list[float], progress: Progress, start: float, again: float) -> Steps:
    """The steps after the kidneys are located, of which the regions take `seconds` and the second look, if there is
    one, `again`; the fraction begins at `start`."""
    text = _("Parsing region {number} of {count}")
    regions = [Step(text.format(number=i + 1, count=len(seconds)), s) for i, s in enumerate(seconds)]
    rest = sum(seconds) * _REST
    second = [Step(_("Looking once more"), min(again, sum(seconds) * _MOST_AGAIN))] if again else []
    return Steps(progress, start, 1.0, [*regions, *second, Step(_("Bringing the result to the CT's grid"), rest / 2),
                                         Step(_("Cleaning up"), rest / 2)])  # fmt: skip
