"""A system's networks over all regions of a CT: one set of maps on one grid."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..networks.configs import NetworkConfig
from ..volumes.volume import Volume
from .backends.backend import Tick
from .grid import Box, Grid
from .maps import MapSum
from .network_input import network_grid, network_input
from .network_pass import PassPlan, Predictor, most_voxels
from .search import Regions
from .speeds import expected_seconds, note_seconds

Window = tuple[slice, ...]
_HARDLY_LARGER = 1.15


@dataclass(frozen=True)
class ParsedMaps:
    """Mean probability maps (outputs, z, y, x) on `grid`, where (z, y, x) there are any (`seen`), and, of networks that
    tell it, the probability of a boundary (z, y, x; float16)."""

    maps: np.ndarray
    grid: Grid
    seen: np.ndarray
    boundary: np.ndarray | None


@dataclass(frozen=True)
class Task:
    """One region on the common grid; with `only_new` it fills only what no region before it has seen."""

    window: Window
    only_new: bool = False

    @property
    def voxels(self) -> int:
        """Voxels of the window."""
        return voxels_of(self.window)


def voxels_of(window: Window) -> int:
    """Voxels of a window."""
    return int(np.prod([w.stop - w.start for w in window]))


class Passes:
    """The passes that parse the regions of one CT; `plan` says how each is run."""

    def __init__(
        self, members: Sequence[Predictor], plan: PassPlan, volume: Volume, regions: Regions, with_columns: bool
    ) -> None:
        self.members = members
        self.volume = volume
        self.plan = replace(plan, windows=True) if regions.whole else plan
        self.grid = _common_grid(regions, volume, self._config)
        self.tasks = [Task(window) for window in self._joined([self._window(box) for box in regions.boxes], regions)]
        if with_columns:
            self.tasks += [Task(self._window(box), only_new=True) for box in regions.columns]

    @property
    def _config(self) -> NetworkConfig:
        return self.members[0].config

    def _window(self, box: Box) -> Window:
        return self.grid.window(self.grid.snapped(box), self._config.stride)

    def _joined(self, windows: list[Window], regions: Regions) -> list[Window]:
        """The windows, or one around them all where that is hardly larger than they together and goes in one pass: it
        then shows the network both kidneys and all that lies between (docs/experiments.md, 11)."""
        union = (slice(min(w.start for w in axis), max(w.stop for w in axis)) for axis in zip(*windows, strict=True))
        around = self.grid.lengthened(tuple(union), self._config.stride)
        voxels = voxels_of(around)
        fits = not self.plan.windows and all(member.goes_in_one_pass(voxels) for member in self.members)
        is_little_more = voxels <= _HARDLY_LARGER * sum(map(voxels_of, windows))
        return [around] if regions.may_join and fits and is_little_more else windows

    @property
    def fit(self) -> bool:
        """Whether each region goes in one pass."""
        most = min(most_voxels(member.config, member.backend.device) for member in self.members)
        return all(task.voxels <= most for task in self.tasks)

    def expected_seconds(self) -> list[float]:
        """How long each region is expected to take."""
        return [sum(expected_seconds(member, task.voxels, self.plan) for member in self.members) for task in self.tasks]

    def run(self, next_step: Callable[[], Tick]) -> ParsedMaps:
        """Does all passes; `next_step` begins the next region's step of the progress."""
        hu = network_input(self.volume, self.grid, self._config)
        maps = MapSum(self._config.outputs, self.grid.size)
        boundary = MapSum(1, self.grid.size) if self._tells_boundary() else None
        for task in self.tasks:
            tick = next_step()
            where = maps.count[task.window] == 0 if task.only_new else None
            part = np.ascontiguousarray(hu[task.window])
            for index, member in enumerate(self.members):
                for z, found in self._slabs(member, part, share_of(tick, index, len(self.members))):
                    window, new = (_within(task.window[0], z), *task.window[1:]), None if where is None else where[z]
                    maps.add(window, found[: self._config.outputs], new)
                    if boundary is not None and len(found) > self._config.outputs:
                        boundary.add(window, found[self._config.outputs :], new)
        return ParsedMaps(maps.mean(), self.grid, maps.seen, None if boundary is None else boundary.mean()[0])

    def _tells_boundary(self) -> bool:
        return any(member.tells_boundary for member in self.members)

    def _slabs(self, member: Predictor, part: np.ndarray, tick: Tick) -> Iterator[tuple[slice, np.ndarray]]:
        """A member's maps of a part; how long it took is remembered."""
        start = time.perf_counter()
        yield from member.slabs(part, self.plan, tick)
        note_seconds(member, part.size, self.plan, time.perf_counter() - start)


def _common_grid(regions: Regions, volume: Volume, config: NetworkConfig) -> Grid:
    """One grid over all regions, on points of the whole scan's grid. The same whether the columns are parsed or not, so
    that a kidney does not depend on what else is wanted."""
    boxes, whole = [*regions.boxes, *regions.columns], network_grid(volume, config)
    if regions.whole:
        return whole
    union = Box(np.min([box.low for box in boxes], 0), np.max([box.high for box in boxes], 0))
    grid = Grid.over(whole.snapped(union), whole.spacing)
    # To the network's stride: what lies around is better than the air that a pass would be filled up with.
    return replace(grid, size=tuple(-(-n // config.stride) * config.stride for n in grid.size))


def share_of(tick: Tick, index: int, count: int) -> Tick:
    """A tick for one of `count` equal parts of what `tick` is told of."""
    return lambda share: tick((index + share) / count)


def _within(outer: slice, inner: slice) -> slice:
    return slice(outer.start + inner.start, outer.start + inner.stop)
