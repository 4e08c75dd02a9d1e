"""How systems combine their networks, with stand-ins for the networks that answer by HU."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.inference.network_pass import ALL_AXES, LEFT_RIGHT, PLAIN
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.inference.systems import LOCATOR, System
from KidneyParsingLib.networks.configs import NetworkConfig, config
from KidneyParsingLib.volumes.volume import LabelMap, Volume

SPINE, BRIGHT, DIM, TUMOR = 400, 200, 150, 100
TU_NET, BA_NET, ROUGH = config("tu_net", "tiny"), config("ba_net", "tiny"), config("l_net", "tiny")
Answer = Callable[[np.ndarray], np.ndarray]


class Stub:
    """A loaded network whose maps are a function of the HU; notes the mirrors that it is asked for."""

    def __init__(self, network_config: NetworkConfig, answer: Answer) -> None:
        self.config, self.answer, self.mirrors = network_config, answer, set()

    def maps(self, hu: np.ndarray, device: object, mirrors: tuple = PLAIN) -> np.ndarray:
        self.mirrors.add(mirrors)
        return self.answer(hu).astype(np.float32)


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


def kidney_with(p: float) -> Answer:
    """Softmax maps of all structures: kidney with probability p where it is bright, else background."""
    return lambda hu: np.stack([1 - p * near(hu, BRIGHT), p * near(hu, BRIGHT), *[hu * 0] * 5])


@pytest.fixture
def a_patient() -> Volume:
    """Upright, 2 mm: a spine and two kidneys 48 x 48 x 80 mm, the left one with a dim part and a tumor."""
    array = np.full((100, 90, 140), -100, np.int16)
    array[:, 50:66, 62:78] = SPINE
    array[30:70, 30:54, 26:50] = BRIGHT
    array[30:70, 30:54, 90:114] = BRIGHT
    array[60:70, 30:54, 90:114] = DIM
    array[44:56, 36:48, 96:108] = TUMOR
    return Volume(array, np.diag([2.0, 2.0, 2.0, 1.0]))


@pytest.fixture
def parsed(a_patient: Volume, monkeypatch: pytest.MonkeyPatch) -> Callable[..., LabelMap]:
    """Parses the patient with a system of stubs."""

    def run(system: System, stubs: dict[str, Stub], tta: bool = False) -> LabelMap:
        everyone = {LOCATOR: Stub(config("locator"), locator_maps), **stubs}
        monkeypatch.setattr("KidneyParsingLib.inference.parser.load", lambda name, device: everyone[name])
        monkeypatch.setattr("KidneyParsingLib.inference.parser.find_model", lambda name: SimpleNamespace(system=system))
        return KidneyParser(Options(model="stub", device="cpu", tta=tta)).parse(a_patient)

    return run


def system(*members: str, **how: object) -> System:
    return System("stub", "", "", members, **how)


def ml(result: LabelMap) -> dict[str, float]:
    return {name: round(volume) for name, volume in result.volumes_ml().items()}


@pytest.mark.parametrize(("first", "second", "found"), [(0.9, 0.2, True), (0.9, 0.0, False)])
def test_an_ensemble_is_the_mean_of_probabilities(parsed: Callable, first: float, second: float, found: bool) -> None:
    """Means of 0.55 and 0.45: only the first is kidney."""
    stubs = {"a": Stub(BA_NET, kidney_with(first)), "b": Stub(BA_NET, kidney_with(second))}
    result = parsed(system("a", "b"), stubs)
    assert bool(result.segments) == found


def test_networks_that_do_not_fit_together_are_refused(parsed: Callable) -> None:
    stubs = {"a": Stub(BA_NET, kidney_with(0.9)), "b": Stub(TU_NET, whole_and_tumor(0.9, 0.9))}
    with pytest.raises(InputError, match="do not fit together"):
        parsed(system("a", "b"), stubs)


def test_nested_maps_become_kidney_and_tumor(parsed: Callable, a_patient: Volume) -> None:
    result = parsed(system("a"), {"a": Stub(TU_NET, whole_and_tumor(0.9, 0.9))})
    assert {s.id for s in result.segments} >= {"kidney_right", "kidney_left", "tumor"}
    # The rim, where voxels are between kidney and fat, has the HU of neither.
    assert 0.7 < ml(result)["kidney_right"] / (40 * 24 * 24 * 0.008) < 1.05
    assert ml(result)["tumor"] == pytest.approx(12**3 * 0.008, rel=0.35)


def test_growing_takes_in_what_hangs_on_a_sure_part(parsed: Callable) -> None:
    stub = Stub(TU_NET, whole_and_tumor(0.9, 0.45))
    plain, grown = parsed(system("a"), {"a": stub}), parsed(system("a", growing=True), {"a": stub})
    dim = 10 * 24 * 24 * 0.008
    assert ml(grown)["kidney_left"] - ml(plain)["kidney_left"] == pytest.approx(dim, rel=0.2)
    assert abs(ml(grown)["kidney_right"] - ml(plain)["kidney_right"]) <= 4


def finder_of(bright_columns: slice) -> Stub:
    """A finder that sees the bright tissue in some columns of its own grid only."""

    def maps(hu: np.ndarray) -> np.ndarray:
        whole = np.zeros(hu.shape)
        whole[:, :, bright_columns] = (near(hu, BRIGHT) | near(hu, DIM) | near(hu, TUMOR))[:, :, bright_columns]
        return np.stack([1 - whole, whole])

    return Stub(ROUGH, maps)


def test_a_system_s_own_finder_says_where_to_look(parsed: Callable) -> None:
    """L-Net's grid has 64 columns whatever the width; its left half is the patient's right."""
    stubs = {"a": Stub(TU_NET, whole_and_tumor(0.9, 0.9)), "rough": finder_of(slice(0, 32))}
    result = parsed(system("a", finder="rough", gated=True), stubs)
    assert {s.id for s in result.segments} == {"kidney_right"}
    assert "Only a right kidney was found." in result.notes


def test_a_finder_that_finds_nothing_gives_way_to_the_locator_and_says_so(parsed: Callable) -> None:
    stubs = {"a": Stub(TU_NET, whole_and_tumor(0.9, 0.9)), "rough": finder_of(slice(0, 0))}
    result = parsed(system("a", finder="rough", gated=True), stubs)
    assert {"kidney_right", "kidney_left"} <= {s.id for s in result.segments}
    assert any("locator" in note for note in result.notes)


@pytest.mark.parametrize(
    ("how", "tta", "mirrors"),
    [
        ({}, False, PLAIN),
        ({}, True, LEFT_RIGHT),
        ({"all_axes": True}, True, ALL_AXES),
        ({"mirrored": True, "all_axes": True}, False, ALL_AXES),
    ],
)
def test_mirror_images_are_averaged_when_asked_for_or_when_the_system_always_does(
    parsed: Callable, how: dict, tta: bool, mirrors: tuple
) -> None:
    stub = Stub(TU_NET, whole_and_tumor(0.9, 0.9))
    parsed(system("a", **how), {"a": stub}, tta)
    assert stub.mirrors == {mirrors}


def test_what_tells_artery_from_vein_is_never_shown_a_mirror_image(parsed: Callable) -> None:
    """There the aorta would lie where the cava should."""
    stub = Stub(BA_NET, kidney_with(0.9))
    parsed(system("a"), {"a": stub}, tta=True)
    assert stub.mirrors == {PLAIN}
