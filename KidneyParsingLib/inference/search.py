"""Where to parse: the locator's kidneys, those that a system's own first network finds, or the whole scan."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..networks.configs import NetworkConfig
from ..sentences import texts_of
from ..volumes.volume import Volume
from .backends.backend import Tick, no_tick
from .grid import Box, Grid, bounds
from .locate import Location, location_of
from .maps import scores_of
from .network_input import network_grid, network_input, network_spacing
from .network_pass import Predictor
from .regions import component_boxes, largest_components, opposite, patch_boxes, roi_box, ureter_box

_ = texts_of(__name__)

_ROUGH_FAILED = _("The model's own search found no kidney; the locator's kidneys were parsed instead.")


@dataclass(frozen=True)
class Regions:
    """What is parsed: `boxes`; `columns` only where no box has looked; both lie within the scan. `gate` is a finder's
    mask (z, y, x; float32) with its grid, by which maps are multiplied. `notes` are for the user. `whole`: the whole
    scan is. `may_join`: the boxes may be parsed as one where that is hardly more
    work."""

    boxes: list[Box]
    columns: list[Box]
    gate: tuple[np.ndarray, Grid] | None = None
    notes: tuple[str, ...] = ()
    whole: bool = False
    may_join: bool = False


def locate(locator: Predictor, volume: Volume, tick: Tick = no_tick) -> Location:
    """What the locator finds in a CT."""
    grid = network_grid(volume, locator.config)
    hu = network_input(volume, grid, locator.config)
    tick(0.0)
    return location_of(scores_of(locator.maps(hu, tick=tick), locator.config), hu, grid)


def whole_scan(volume: Volume, notes: tuple[str, ...] = ()) -> Regions:
    """The whole scan as one region."""
    return Regions([bounds(volume)], [], notes=notes, whole=True)


def around_located(location: Location, volume: Volume, with_ureters: bool, wide: bool = False) -> Regions:
    """Around each located kidney, with `wide` margins or narrow ones, and, for networks of ureters, the column below
    them. Where only one was located, also where the other would be: the locator may have missed it."""
    kidneys = location.kidneys
    column = [ureter_box(kidneys, location.midline)] if kidneys and with_ureters else []
    looked_at = [*kidneys, opposite(kidneys[0], location.midline)] if len(kidneys) == 1 else kidneys
    boxes = [roi_box(kidney, location.midline, wide) for kidney in looked_at]
    return Regions(inside(boxes, volume), inside(column, volume), may_join=True)


def around_found(
    finder: Predictor, gated: bool, fine: NetworkConfig, located: Regions, volume: Volume, tick: Tick = no_tick
) -> Regions:
    """Around what a system's own finder sees, with its mask if the system is `gated`; else BiSC-UNet's boxes for the
    network `fine`. The located regions where it sees nothing."""
    grid = network_grid(volume, finder.config)
    hu = network_input(volume, grid, finder.config)
    mask = scores_of(finder.maps(hu, tick=tick), finder.config)
    found = mask.argmax(0) > 0
    parts = largest_components(found, grid)
    if not parts.any():
        return replace(located, notes=(_ROUGH_FAILED,))
    if gated:
        return Regions(inside(component_boxes(parts, grid), volume), [], (found.astype(np.float32), grid))
    return Regions(inside(patch_boxes(parts, grid, fine.patch, network_spacing(volume, fine)), volume), [])


def inside(boxes: list[Box], volume: Volume) -> list[Box]:
    """The boxes' parts within a volume; those that lie beyond it are left out."""
    parts = [box.within(bounds(volume)) for box in boxes]
    return [part for part in parts if (part.high > part.low).all()]
