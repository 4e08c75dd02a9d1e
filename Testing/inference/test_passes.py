"""Two regions become one pass where that is hardly more work and fits; else each has its own."""

from __future__ import annotations

import numpy as np
import pytest
from stub_networks import BA_NET, BRIGHT, Stub, kidney_with

from KidneyParsingLib.inference.backends.backend import Tick, no_tick
from KidneyParsingLib.inference.grid import Box
from KidneyParsingLib.inference.network_pass import PassPlan
from KidneyParsingLib.inference.passes import Passes
from KidneyParsingLib.inference.search import Regions
from KidneyParsingLib.volumes.volume import Volume

# BA-Net tiny works at 3 mm, its sizes are multiples of 8 voxels: 24 mm.
VOLUME = Volume(np.full((80, 80, 120), 40, np.int16), np.diag([3.0, 3.0, 3.0, 1.0]))


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Box:
    return Box(np.array(low), np.array(high))


RIGHT = box((0, 0, 0), (192, 144, 144))
LEFT = box((120, 0, 0), (312, 144, 144))  # shares 72 mm with the right one


def passes(*boxes: Box, most: int | None = None, may_join: bool = True, windows: bool = False) -> Passes:
    stub = Stub(BA_NET, kidney_with(0.9, BRIGHT))
    stub.most = most
    return Passes([stub], PassPlan(windows=windows), VOLUME, Regions(list(boxes), [], may_join=may_join), False)


def test_regions_that_overlap_are_one_pass() -> None:
    (task,) = passes(RIGHT, LEFT).tasks
    assert task.voxels == 104 * 48 * 48


@pytest.mark.parametrize(
    "apart",
    [
        {"may_join": False},
        {"windows": True},
        {"most": 104 * 48 * 48 - 1},
    ],
)
def test_they_stay_apart_where_one_pass_is_not_wanted_or_does_not_fit(apart: dict) -> None:
    assert [task.voxels for task in passes(RIGHT, LEFT, **apart).tasks] == [64 * 48 * 48] * 2


def test_they_stay_apart_where_one_pass_is_more_work() -> None:
    """At different heights: around both there is more air than both share."""
    far = box((240, 0, 72), (432, 144, 216))
    assert len(passes(RIGHT, far).tasks) == 2


@pytest.mark.parametrize("shift", [3, 9, 21])
def test_one_pass_needs_no_air_and_is_hardly_more_work(shift: int) -> None:
    """BA-Net tiny's stride is 8: what is no multiple of it would be filled up with air."""
    shifted = box((120 + shift, 0, shift), (312 + shift, 144, 144 + shift))
    tasks = passes(RIGHT, shifted).tasks
    assert all((w.stop - w.start) % 8 == 0 for task in tasks for w in task.window)
    assert sum(task.voxels for task in tasks) <= 1.15 * 2 * 72 * 56 * 56


def test_maps_of_joined_regions_cover_both() -> None:
    class Ones(Stub):
        def maps(self, hu: np.ndarray, plan: PassPlan = PassPlan(), tick: Tick = no_tick) -> np.ndarray:
            return np.ones((BA_NET.outputs, *hu.shape), np.float32)

    joined = Passes([Ones(BA_NET, None)], PassPlan(), VOLUME, Regions([RIGHT, LEFT], [], may_join=True), False)
    parsed = joined.run(lambda: no_tick)
    assert parsed.seen.all() and (parsed.maps == 1).all()
