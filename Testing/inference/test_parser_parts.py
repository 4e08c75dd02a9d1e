"""How systems combine their networks, with stand-ins for the networks that answer by HU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stub_networks import BA_NET, BRIGHT, DIM, ROUGH, TU_NET, TUMOR, Stub, kidney_with, near, system, whole_and_tumor

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.inference.backends.backend import Tick, no_tick
from KidneyParsingLib.inference.network_pass import ALL_AXES, LEFT_RIGHT, PLAIN, PassPlan
from KidneyParsingLib.volumes.volume import LabelMap, Volume


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
    # Of 20 mm the rims of 3 mm voxels, which have the HU of neither, are lost, above and below at most.
    assert 0.6 < (ml(grown)["kidney_left"] - ml(plain)["kidney_left"]) / dim < 1.05
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
    parsed(system("a", **how), {"a": stub}, tta=tta)
    assert stub.views == {mirrors}


def test_what_tells_artery_from_vein_is_never_shown_a_mirror_image(parsed: Callable) -> None:
    """There the aorta would lie where the cava should."""
    stub = Stub(BA_NET, kidney_with(0.9))
    parsed(system("a"), {"a": stub}, tta=True)
    (views,) = stub.views
    assert len(views) == 2 and not any(view.mirrored for view in views) and views[1].shift


class Sized(Stub):
    """Notes how many voxels it is shown at a time."""

    def __init__(self, most: int | None) -> None:
        super().__init__(BA_NET, kidney_with(0.9))
        self.most, self.sizes = most, []

    def maps(self, hu: np.ndarray, plan: PassPlan = PassPlan(), tick: Tick = no_tick) -> np.ndarray:
        self.sizes.append(hu.size)
        return super().maps(hu, plan, tick)


def test_regions_are_wide_where_they_fit_and_narrow_where_not_or_when_it_has_to_be_fast(
    parsed: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy, fast = Sized(None), Sized(None)
    parsed(system("a"), {"a": roomy})
    parsed(system("a"), {"a": fast}, quality="fast")
    monkeypatch.setattr("KidneyParsingLib.inference.passes.most_voxels", lambda *_: max(roomy.sizes) - 1)
    tight = Sized(None)
    parsed(system("a"), {"a": tight})
    assert max(fast.sizes) < max(roomy.sizes) and max(tight.sizes) < max(roomy.sizes)
