"""Stand-ins for networks, which answer by HU, and systems of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np

from KidneyParsingLib.inference.backends.backend import Tick, no_tick
from KidneyParsingLib.inference.network_pass import PassPlan
from KidneyParsingLib.inference.systems import System
from KidneyParsingLib.networks.configs import NetworkConfig, config

SPINE, BRIGHT, DIM, TUMOR = 400, 200, 150, 100
TU_NET, BA_NET, ROUGH = config("tu_net", "tiny"), config("ba_net", "tiny"), config("l_net", "tiny")
Answer = Callable[[np.ndarray], np.ndarray]


class Stub:
    """A loaded network whose maps are a function of the HU; notes the views that it is asked for."""

    tells_boundary = False
    backend = SimpleNamespace(name="stub", device="cpu")

    def __init__(self, network_config: NetworkConfig, answer: Answer) -> None:
        self.config, self.answer, self.views, self.most = network_config, answer, set(), None

    def maps(self, hu: np.ndarray, plan: PassPlan = PassPlan(), tick: Tick = no_tick) -> np.ndarray:
        self.views.add(plan.views)
        tick(0.5)
        return self.answer(hu).astype(np.float32)

    def begin(self) -> None: ...

    def release(self) -> None: ...

    def goes_in_one_pass(self, voxels: int) -> bool:
        return self.most is None or voxels <= self.most

    def slabs(self, hu: np.ndarray, plan: PassPlan, tick: Tick) -> Iterator[tuple[slice, np.ndarray]]:
        yield slice(0, len(hu)), self.maps(hu, plan, tick)


def near(hu: np.ndarray, value: float) -> np.ndarray:
    return (hu >= value - 25) & (hu < value + 25)


def locator_maps(hu: np.ndarray) -> np.ndarray:
    kidney, spine = near(hu, BRIGHT) | near(hu, DIM) | near(hu, TUMOR), near(hu, SPINE)
    return np.stack([~kidney & ~spine, kidney, spine, hu * 0, hu * 0])


def whole_and_tumor(bright: float, dim: float, tumor: float = 0.9) -> Answer:
    """Nested maps with these values of "whole" in bright and dim kidney, and of "tumor" in tumor."""
    return lambda hu: np.stack(
        [bright * near(hu, BRIGHT) + dim * near(hu, DIM) + 0.9 * near(hu, TUMOR), np.where(near(hu, TUMOR), tumor, 0.2)]
    )


def kidney_with(p: float, *values: int) -> Answer:
    """Softmax maps of all structures: kidney with probability p where it is bright (or of `values`), else
    background."""

    def maps(hu: np.ndarray) -> np.ndarray:
        kidney = np.any([near(hu, value) for value in values or (BRIGHT,)], 0)
        return np.stack([1 - p * kidney, p * kidney, *[hu * 0] * 5])

    return maps


def system(*members: str, **how: object) -> System:
    return System("stub", "", "", members, **how)
