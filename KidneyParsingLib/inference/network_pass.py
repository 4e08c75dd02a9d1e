"""A network over an array of HU: scaling, padding to its stride, views, windows; probability maps come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import OutOfMemoryError, is_out_of_memory
from ..networks.configs import NetworkConfig, normalized
from ..sentences import texts_of
from .backends.backend import Backend, Tick, no_tick
from .grid import AIR_HU
from .windows import blended_slabs, together, window_count

_ = texts_of(__name__)


@dataclass(frozen=True)
class View:
    """A way to look at the same image: axes of (z, y, x) that are mirrored, and by how many voxels it is shifted along
    each against the network's stride."""

    mirrored: tuple[int, ...] = ()
    shift: int = 0


PLAIN = (View(),)
# For networks trained with right and left mirrored only: a patient is never upside down or back to front.
LEFT_RIGHT = (View(), View((2,)))
ALL_AXES = tuple(View(axes) for axes in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)))
# Values in one full-resolution feature map (voxels x channels) that a single pass may have on a CPU and on a GPU; each
# costs up to 58 bytes while the pass runs (docs/performance.md).
_MOST_VALUES = {"cpu": 15_000_000, "cuda": 100_000_000}
# What a value of the outputs costs beside that of a feature map, where they are finer than all of these (by hand).
_SHARE_OF_OUTPUTS = 0.14


@dataclass(frozen=True)
class PassPlan:
    """How a network is run: the mean over `views`; in one pass where memory allows, or always in `windows` of the
    training patch that overlap by `overlap` (None: the network's own)."""

    views: tuple[View, ...] = PLAIN
    windows: bool = False
    overlap: float | None = None


def no_log(text: str) -> None:
    """Takes a line for the log and drops it."""


class Predictor:
    """A network on its backend; where memory runs out it goes on with smaller windows, then on the CPU.

    `on_cpu` makes the CPU's backend for a network that runs elsewhere; `log` is told of every step back.
    `tells_boundary`: its maps end with the boundary's probability.
    """

    def __init__(
        self,
        backend: Backend,
        config: NetworkConfig,
        on_cpu: Callable[[], Backend] | None = None,
        log: Callable[[str], None] = no_log,
        tells_boundary: bool = False,
    ) -> None:
        self.config = config
        self.tells_boundary = tells_boundary
        self._log = log
        self._wanted = backend, on_cpu
        self.begin()

    def begin(self) -> None:
        """Forgets what memory was lacking before: another program may have given it back since."""
        self.backend, self._on_cpu = self._wanted
        self._most = most_voxels(self.config, self.backend.device)

    def maps(self, hu: np.ndarray, plan: PassPlan = PassPlan(), tick: Tick = no_tick) -> np.ndarray:
        """Probability maps (outputs, z, y, x) float32 of HU (z, y, x) on the network's grid; with the boundary's
        probability as one more map at the end if the backend gives it."""
        return together(self.slabs(hu, plan, tick), len(hu))

    def slabs(
        self, hu: np.ndarray, plan: PassPlan = PassPlan(), tick: Tick = no_tick
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """The same slab by slab: slices of z, and their maps, which the next slab may write over."""
        if not plan.windows and self.goes_in_one_pass(hu.size):
            yield slice(0, len(hu)), self._safely(hu, plan, tick)
            return
        size = fitting_window(self.config.patch, self._most, self.config.stride)
        yield from self._blended(hu, size, plan, tick)

    def goes_in_one_pass(self, voxels: int) -> bool:
        """Whether so many voxels of the network's grid are parsed in one pass, unless windows are asked for."""
        return voxels <= self._most

    def release(self) -> None:
        """Gives back the memory that is kept for the next pass."""
        self.backend.release()

    def _blended(
        self, hu: np.ndarray, size: tuple[int, ...], plan: PassPlan, tick: Tick
    ) -> Iterator[tuple[slice, np.ndarray]]:
        overlap = self.config.overlap if plan.overlap is None else plan.overlap
        count, done = window_count(hu.shape, size, overlap), 0

        def predict(part: np.ndarray) -> np.ndarray:
            nonlocal done
            maps = self._safely(part, plan, lambda share: tick((done + share) / count))
            done += 1
            return maps

        return blended_slabs(hu, size, predict, overlap)

    def _safely(self, part: np.ndarray, plan: PassPlan, tick: Tick) -> np.ndarray:
        """One pass over a part if it fits, else windows over it."""
        size = fitting_window(part.shape, self._most, self.config.stride)
        if size != part.shape:
            return together(self._blended(part, size, plan, tick), len(part))
        try:
            return one_pass(self.backend, self.config, part, plan.views, tick)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self._step_back(part)
        return self._safely(part, plan, tick)

    def _step_back(self, part: np.ndarray) -> None:
        """Half as many voxels at a time; when that is no use any more, the CPU. Raises OutOfMemoryError at the end."""
        self.release()
        smallest = (2 * self.config.stride) ** 3
        if part.size > smallest:
            self._most = max(part.size // 2, smallest)
            text = _("Not enough memory for {voxels} voxels at a time; going on with {most}.")
            self._log(text.format(voxels=part.size, most=self._most))
        elif self._on_cpu is not None:
            text = _("Not enough memory on {device}; going on with the CPU.")
            self._log(text.format(device=self.backend.device))
            self.backend, self._on_cpu = self._on_cpu(), None
            self._most = most_voxels(self.config, self.backend.device)
        else:
            raise OutOfMemoryError(
                _("There is not enough memory for this CT; close other programs or crop the CT to the kidneys.")
            )


def most_voxels(config: NetworkConfig, device: str) -> int:
    """How many voxels a single pass of a network may have on a device; never less than its training patch."""
    values = _MOST_VALUES["cuda" if device.startswith("cuda") else "cpu"]
    channels = config.features[0]
    if config.fold > 1:  # the voxels that it folds have no feature maps, but logits and probabilities
        channels = channels / config.fold**3 + config.outputs * _SHARE_OF_OUTPUTS
    return max(int(values / channels), int(np.prod(config.patch)))


def fitting_window(size: tuple[int, ...], most: int, stride: int) -> tuple[int, ...]:
    """`size` with its longest sides halved, to multiples of `stride` and no further than two of them, until it has at
    most `most` voxels."""
    sides = list(size)
    while np.prod(sides) > most and max(sides) > 2 * stride:
        longest = int(np.argmax(sides))
        sides[longest] = max(2 * stride, -(-sides[longest] // 2 // stride) * stride)
    return tuple(sides)


def one_pass(
    backend: Backend, config: NetworkConfig, hu: np.ndarray, views: tuple[View, ...] = PLAIN, tick: Tick = no_tick
) -> np.ndarray:
    """Probability maps of HU (z, y, x) in a single pass for each of `views`, their mean.

    Sizes are filled up with air to multiples of the network's stride, at least two of them: normalisation over a single
    voxel at the bottom of the network is undefined.
    """
    stride = config.stride
    padding = [(0, max(2 * stride, -(-n // stride) * stride) - n) for n in hu.shape]
    image = normalized(np.pad(hu, padding, constant_values=AIR_HU), config)
    total = None
    for index, view in enumerate(views):
        maps = _seen(backend, image, view, stride, lambda share: tick((index + share) / len(views)))  # noqa: B023
        total = maps if total is None else np.add(total, maps, out=total)
    if len(views) > 1:
        total /= len(views)
    return total[:, : hu.shape[0], : hu.shape[1], : hu.shape[2]]


def _seen(backend: Backend, image: np.ndarray, view: View, stride: int, tick: Tick) -> np.ndarray:
    """The maps of an image as a view shows it, brought back to the image's own axes."""
    if view.shift:
        shifted = np.pad(image, (view.shift, stride - view.shift), mode="edge")
        kept = tuple(slice(view.shift, view.shift + n) for n in image.shape)
        return _seen(backend, shifted, View(view.mirrored), stride, tick)[(slice(None), *kept)]
    if not view.mirrored:
        return backend(image, tick)
    mirrored = np.ascontiguousarray(np.flip(image, view.mirrored))
    return np.flip(backend(mirrored, tick), [1 + axis for axis in view.mirrored])
