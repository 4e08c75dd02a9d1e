"""Passes in one go, in windows and after memory ran out are the same maps; views come back to their place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from KidneyParsingLib.errors import Cancelled, OutOfMemoryError
from KidneyParsingLib.inference.backends.backend import Tick, no_tick
from KidneyParsingLib.inference.network_pass import (
    ALL_AXES,
    LEFT_RIGHT,
    PLAIN,
    PassPlan,
    Predictor,
    View,
    fitting_window,
    one_pass,
)
from KidneyParsingLib.networks.configs import config

CONFIG = replace(config("plain_unet", "tiny"), patch=(16, 16, 16))


class Pointwise:
    """A backend whose two first classes depend on each voxel alone; may lack memory for many voxels."""

    name = "pointwise"

    def __init__(self, most: int | None = None, device: str = "cpu") -> None:
        self.most, self.sizes, self.device = most, [], device

    def __call__(self, image: np.ndarray, tick: Tick = no_tick) -> np.ndarray:
        tick(0.5)
        self.sizes.append(image.shape)
        if self.most is not None and image.size > self.most:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes")
        return softmax(np.stack([np.zeros_like(image), image, *[np.full_like(image, -9.0)] * 5]), 0)

    def release(self) -> None: ...


def hu_of(shape: tuple[int, ...] = (40, 36, 44)) -> np.ndarray:
    return np.random.default_rng(0).normal(40, 100, shape).astype(np.float32)


def expected(hu: np.ndarray) -> np.ndarray:
    """The second class's probability by the logistic function, less what the five other classes take."""
    z = (hu.clip(*CONFIG.clip_hu) - CONFIG.mean_hu) / CONFIG.std_hu
    return np.exp(z) / (1 + np.exp(z) + 5 * np.exp(-9))


@pytest.mark.parametrize("views", [PLAIN, LEFT_RIGHT, ALL_AXES, (View(), View(shift=4))])
@pytest.mark.parametrize("windows", [False, True])
def test_maps_are_those_of_each_voxel(views: tuple[View, ...], windows: bool) -> None:
    hu = hu_of()
    maps = Predictor(Pointwise(), CONFIG).maps(hu, PassPlan(views, windows))
    assert maps.shape == (7, *hu.shape) and maps[1] == pytest.approx(expected(hu), abs=1e-5)


class Located(Pointwise):
    """Answers where in its input a voxel lies, along the last axis."""

    def __call__(self, image: np.ndarray, tick: Tick = no_tick) -> np.ndarray:
        column = np.broadcast_to(np.arange(image.shape[2], dtype=np.float32), image.shape)
        return softmax(np.stack([column / 50, *[np.zeros_like(image)] * 6]), 0)


def test_a_shifted_view_is_shown_the_image_further_on_and_a_mirrored_one_the_other_way_round() -> None:
    hu = np.zeros((16, 16, 16), np.float32)
    plain, shifted, mirrored = (
        np.log(one_pass(Located(), CONFIG, hu, (view,))[:2]) for view in (View(), View(shift=4), View((2,)))
    )
    column = np.arange(16) / 50
    for found, place in ((plain, column), (shifted, column + 4 / 50), (mirrored, column[::-1])):
        assert (found[0] - found[1])[3, 5] == pytest.approx(place, abs=1e-5)


def test_what_does_not_fit_goes_in_windows_and_the_log_says_so() -> None:
    log: list[str] = []
    backend, hu = Pointwise(most=20_000), hu_of()
    maps = Predictor(backend, CONFIG, log=log.append).maps(hu)
    assert maps[1] == pytest.approx(expected(hu), abs=1e-5)
    assert len(log) >= 1 and all("Not enough memory" in line for line in log)
    assert max(np.prod(size) for size in backend.sizes[-5:]) <= 20_000


def test_after_memory_ran_out_smaller_windows_are_used_from_the_start() -> None:
    log: list[str] = []
    predictor = Predictor(Pointwise(most=20_000), CONFIG, log=log.append)
    predictor.maps(hu_of())
    count = len(log)
    predictor.maps(hu_of())
    assert len(log) == count


def test_the_next_run_tries_the_whole_pass_and_the_first_backend_again() -> None:
    log: list[str] = []
    hungry = Pointwise(most=0)
    predictor = Predictor(hungry, CONFIG, on_cpu=Pointwise, log=log.append)
    predictor.maps(hu_of((20, 20, 20)))
    hungry.most = None
    predictor.begin()
    assert predictor.backend is hungry
    count = len(hungry.sizes)
    predictor.maps(hu_of())
    assert len(hungry.sizes) == count + 1


def test_when_the_smallest_window_does_not_fit_the_cpu_takes_over() -> None:
    log: list[str] = []
    hu = hu_of((20, 20, 20))
    predictor = Predictor(Pointwise(most=0), CONFIG, on_cpu=Pointwise, log=log.append)
    assert predictor.maps(hu)[1] == pytest.approx(expected(hu), abs=1e-5)
    assert "going on with the CPU" in log[-1]


def test_when_nothing_helps_it_is_said_in_one_sentence() -> None:
    with pytest.raises(OutOfMemoryError, match="close other programs"):
        Predictor(Pointwise(most=0), CONFIG).maps(hu_of((20, 20, 20)))


def test_other_errors_are_not_taken_for_lack_of_memory() -> None:
    class Broken(Pointwise):
        def __call__(self, image: np.ndarray, tick: Tick = no_tick) -> np.ndarray:
            raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes do not match"):
        Predictor(Broken(), CONFIG).maps(hu_of())


def test_progress_rises_over_windows_and_views_and_can_stop_them() -> None:
    shares: list[float] = []
    Predictor(Pointwise(), CONFIG).maps(hu_of(), PassPlan(LEFT_RIGHT, windows=True), shares.append)
    assert shares == sorted(shares) and 0 < shares[0] < 0.05 < 0.95 < shares[-1] < 1

    def stop(share: float) -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        Predictor(Pointwise(), CONFIG).maps(hu_of(), PassPlan(), stop)


@pytest.mark.parametrize(
    ("size", "most", "window"),
    [
        ((64, 64, 64), 300_000, (64, 64, 64)),
        ((64, 80, 80), 300_000, (64, 40, 80)),
        ((64, 80, 80), 1, (16, 16, 16)),
        ((100, 20, 20), 25_000, (56, 20, 20)),
    ],
)
def test_windows_are_halved_along_their_longest_side(size: tuple[int, ...], most: int, window: tuple[int, ...]) -> None:
    assert fitting_window(size, most, stride=8) == window
