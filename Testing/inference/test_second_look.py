"""The second look at every kidney: what it may change, where, and how much it counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from stub_networks import BRIGHT, DIM, SPINE, Stub, kidney_with, near, system
from stub_networks import TUMOR as TUMOR_HU

from KidneyParsingLib.errors import Cancelled
from KidneyParsingLib.inference import cleanup, contrast, second_look
from KidneyParsingLib.inference.fine_parts import labels_with_parts
from KidneyParsingLib.inference.grid import Grid, bounds
from KidneyParsingLib.inference.second_look import look_again, shared_anew
from KidneyParsingLib.inference.systems import LOCATOR
from KidneyParsingLib.networks.configs import STRUCTURE_CLASSES, NetworkConfig, config
from KidneyParsingLib.volumes.volume import LabelMap, Volume

GRID = Grid(np.zeros(3), (2.0, 2.0, 2.0), (48, 64, 96))
FIRST, SECOND = config("ba_net", "small"), config("second_look", "small")
KIDNEY, TUMOR, ARTERY, URETER, CYST = (
    STRUCTURE_CLASSES.index(name) for name in ("kidney", "tumor", "artery", "ureter", "cyst")
)
FEW = ("background", "kidney", "tumor", "cyst", "ureter")
INSIDE, ARTERIAL, FAR = (24, 30, 20), (24, 30, 32), (24, 30, 90)


def no_tick(share: float) -> None: ...


def maps_of(**shares: np.ndarray) -> np.ndarray:
    """Maps of all structures: the given ones, the rest kidney."""
    known = {name: np.asarray(share, np.float32) for name, share in shares.items()}
    zero = 0 * next(iter(known.values()))
    known["kidney"] = 1 - sum(known.values())
    return np.stack([known.get(name, zero) for name in STRUCTURE_CLASSES])


def sure_of_tumor(hu: np.ndarray) -> np.ndarray:
    """Maps that call everything tumor."""
    return maps_of(tumor=np.ones(hu.shape))


def a_first_look(kidney: float = 0.8) -> np.ndarray:
    """Scores: a kidney of 20 x 20 x 20 voxels (64 ml) with this probability, else tumor; beside it, half artery."""
    p = np.full((len(STRUCTURE_CLASSES), *GRID.size), 1e-9, np.float32)
    p[0] = 1
    window = (slice(14, 34), slice(20, 40), slice(10, 30))
    for index, share in ((0, 0.0), (KIDNEY, kidney), (TUMOR, 1 - kidney)):
        p[(index, *window)] = share
    beside = (slice(14, 34), slice(20, 40), slice(30, 36))
    p[(0, *beside)], p[(ARTERY, *beside)], p[(CYST, *beside)] = 0.3, 0.6, 0.1
    return np.log(np.maximum(p, 1e-9))


def a_ct() -> Volume:
    return Volume(np.zeros(GRID.size, np.int16), GRID.affine)


def at(scores: np.ndarray, index: int, place: tuple[int, int, int]) -> float:
    return float(np.exp(scores[(index, *place)]))


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter for the organ, three quarters for its lesions, half for ureters, nothing for vessels."""
    monkeypatch.setattr(second_look, "_WEIGHT_OF_ORGAN", 0.25)
    monkeypatch.setattr(second_look, "_WEIGHT_OF_LESIONS", 0.75)
    monkeypatch.setattr(second_look, "_WEIGHTS_OF_TUBES", {"artery": 0.0, "vein": 0.0, "ureter": 0.5})


@pytest.mark.usefixtures("weights")
def test_a_kidney_is_shared_out_by_the_weighted_mean_of_both_looks() -> None:
    """All kidney or tumor for both: kidney 0.8 / 4, tumor 0.2 / 4 + 3 / 4."""
    scores = a_first_look(kidney=0.8)
    look_again(scores, FIRST, GRID, Stub(SECOND, sure_of_tumor), a_ct(), no_tick)
    assert at(scores, KIDNEY, INSIDE) == pytest.approx(0.2, abs=1e-4)
    assert at(scores, TUMOR, INSIDE) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.usefixtures("weights")
def test_vessels_that_the_network_does_not_know_keep_what_the_first_look_gave_them() -> None:
    """Of the 0.4 that are no artery the organ had 0.1 and would have all: 0.75 * 0.1 + 0.25 * 0.4 = 0.175, of which
    the cyst, all of it at first and nothing of it now, keeps a quarter."""
    scores = a_first_look()
    without_vessels = Stub(replace(SECOND, classes=FEW), lambda hu: sure_of_tumor(hu)[[0, 1, 2, CYST, URETER]])
    look_again(scores, FIRST, GRID, without_vessels, a_ct(), no_tick)
    assert at(scores, ARTERY, ARTERIAL) == pytest.approx(0.6, abs=1e-4)
    rest = [at(scores, index, ARTERIAL) for index in (0, TUMOR, CYST)]
    assert rest == pytest.approx([0.225, 0.13125, 0.04375], abs=1e-4)


def test_where_the_first_look_has_not_been_nothing_is_found() -> None:
    scores = a_first_look()
    scores[0, :16] = 1e3
    look_again(scores, FIRST, GRID, Stub(SECOND, sure_of_tumor), a_ct(), no_tick)
    assert (scores[:, :16].argmax(0) == 0).all() and (scores[0, :16] == 1e3).all()


def test_what_lies_far_from_kidneys_is_not_looked_at() -> None:
    scores = a_first_look()
    before = scores.copy()
    look_again(scores, FIRST, GRID, Stub(SECOND, sure_of_tumor), a_ct(), no_tick)
    assert np.array_equal(scores[..., 64:], before[..., 64:]) and at(scores, 0, FAR) == pytest.approx(1)


@pytest.mark.parametrize("ml", [0, 4])
def test_without_a_kidney_of_5_ml_nothing_is_run(ml: int) -> None:
    scores = np.log(np.full((len(STRUCTURE_CLASSES), *GRID.size), 1e-9, np.float32))
    scores[0] = 0
    scores[KIDNEY, 10:20, 10:20, 10 : 10 + ml * 5 // 4] = 1  # 8 mm3 a voxel

    def never(hu: np.ndarray) -> np.ndarray:
        raise AssertionError("the network was run")

    look_again(scores, FIRST, GRID, Stub(SECOND, never), a_ct(), no_tick)


def test_the_network_sees_the_ct_where_the_kidney_lies() -> None:
    """Only the voxels that are bright in the CT change, at their place."""
    scores, ct = a_first_look(kidney=1.0), a_ct()
    ct.array[20:24, 26:30, 14:18] = 300

    def bright_is_tumor(hu: np.ndarray) -> np.ndarray:
        return maps_of(tumor=hu > 100)

    look_again(scores, FIRST, GRID, Stub(SECOND, bright_is_tumor), ct, no_tick)
    changed = np.exp(scores[TUMOR]) > 0.3
    assert changed[20:24, 26:30, 14:18].all() and changed.sum() == 4**3


def test_two_kidneys_are_looked_at_one_by_one_and_can_be_cancelled_between() -> None:
    scores = a_first_look()
    scores[..., 60:80] = scores[..., 10:30]
    before = scores.copy()

    def cancel_in_the_second(share: float) -> None:
        if share > 0.5:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        look_again(scores, FIRST, GRID, Stub(SECOND, sure_of_tumor), a_ct(), cancel_in_the_second)
    changed = [not np.array_equal(scores[..., half], before[..., half]) for half in (slice(0, 40), slice(60, 96))]
    assert sorted(changed) == [False, True]
    look_again(before, FIRST, GRID, Stub(SECOND, sure_of_tumor), a_ct(), no_tick)
    assert at(before, TUMOR, (24, 30, 70)) == at(before, TUMOR, INSIDE) > 0.6


def test_where_two_windows_overlap_the_second_look_counts_once() -> None:
    """A piece of 8 ml, 8 mm beside the kidney: its window holds most of the kidney."""
    scores = a_first_look(kidney=0.8)
    scores[:, 14:24, 20:30, 34:44] = scores[:, 20:30, 26:36, 12:22]
    scores[:, :, :, 30:34] = np.log(np.float32(1e-9))
    scores[0, :, :, 30:34] = 0
    look_again(scores, FIRST, GRID, Stub(SECOND, sure_of_tumor), a_ct(), no_tick)
    kidney = np.exp(scores[KIDNEY, 15:23, 21:29, 12:28])
    assert kidney.max() - kidney.min() < 1e-6


def test_where_windows_overlap_nothing_is_cut_on_the_ct() -> None:
    """Two pieces of a kidney, and between them what the second look alone calls kidney; the windows end in one
    another."""
    scores = a_first_look(kidney=1.0)
    scores[:, 14:34, 20:40, 40:56] = scores[:, 14:34, 20:40, 12:28]
    scores[:, 14:34, 20:40, 30:40] = np.log(np.float32(1e-9))
    scores[0, 14:34, 20:40, 30:40], scores[KIDNEY, 14:34, 20:40, 30:40] = np.log(0.51), np.log(0.49)
    around = bounds(a_ct())
    ct = Volume(np.zeros(Grid.over(around, (2.0, 2.0, 0.7)).size, np.int16), Grid.over(around, (2.0, 2.0, 0.7)).affine)
    all_kidney = Stub(SECOND, lambda hu: maps_of(tumor=np.zeros(hu.shape)))
    parts = look_again(scores, FIRST, GRID, all_kidney, ct, no_tick)
    low, high = (max(p.window[2].start for p in parts), min(p.window[2].stop for p in parts))
    assert len(parts) == 2 and low < high
    labels, window = labels_with_parts(scores, GRID, parts, ct)
    everything = np.zeros(ct.array.shape, np.uint8)
    everything[window] = labels
    ends = [round((GRID.origin[0] + 2 * (x - 0.5) - ct.affine[0, 3]) / 0.7) for x in (10, 56)]
    assert (everything[20:30, 25:35, ends[0] + 1 : ends[1]] == KIDNEY).all()


@pytest.mark.usefixtures("weights")
def test_ureters_come_from_both_looks() -> None:
    """Half of a kidney's probability goes to the ureter where the second look sees one, and not to the class that has
    its place among the first look's."""

    def bright_is_ureter(hu: np.ndarray) -> np.ndarray:
        return maps_of(background=hu <= 100, ureter=hu > 100)

    scores, ct = a_first_look(kidney=1.0), a_ct()
    ct.array[20:24, 26:30, 14:18] = 300
    look_again(scores, FIRST, GRID, Stub(SECOND, bright_is_ureter), ct, no_tick)
    found = np.exp(scores[URETER])
    assert found[20:24, 26:30, 14:18] == pytest.approx(0.5, abs=1e-3) and (found > 0.1).sum() == 4**3


@pytest.mark.usefixtures("weights")
def test_a_network_may_know_no_ureters() -> None:
    scores = a_first_look(kidney=1.0)
    fewer = replace(SECOND, classes=STRUCTURE_CLASSES[:3])
    look_again(scores, FIRST, GRID, Stub(fewer, lambda hu: sure_of_tumor(hu)[:3]), a_ct(), no_tick)
    assert at(scores, TUMOR, INSIDE) == pytest.approx(0.75, abs=1e-3)


def shared(first: list[float], second: list[float]) -> np.ndarray:
    """One voxel's probabilities, shared anew."""
    looks = (np.array(look, np.float32)[:, None, None] for look in (first, second))
    return shared_anew(*looks, FEW)[:, 0, 0]


def test_vessels_have_the_weighted_mean_of_both_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The artery had 0.6 and has all of it now: 0.75 * 0.6 + 0.25 * 1."""
    monkeypatch.setattr(second_look, "_WEIGHTS_OF_TUBES", {"artery": 0.25})
    scores = a_first_look()
    arterial = Stub(SECOND, lambda hu: maps_of(artery=np.ones(hu.shape)))
    look_again(scores, FIRST, GRID, arterial, a_ct(), no_tick)
    assert at(scores, ARTERY, ARTERIAL) == pytest.approx(0.7, abs=1e-3)


def test_what_is_thinner_than_a_coarse_voxel_is_told_on_the_finer_grid() -> None:
    """A plate of 1 mm in voxels of 2 mm: half of each, in the half where it lies."""
    ct = Volume(np.zeros(tuple(2 * n for n in GRID.size), np.int16), Grid.over(bounds(a_ct()), (1.0,) * 3).affine)
    ct.array[:, :, 31] = 300
    scores = a_first_look(kidney=1.0)
    (part,) = look_again(scores, FIRST, GRID, Stub(SECOND, lambda hu: maps_of(tumor=hu > 150)), ct, no_tick)
    z, y = (2 * (at - w.start) for at, w in zip(INSIDE, part.window[:2], strict=False))
    fine = np.exp(part.scores[:, z, y].astype(np.float32))
    column = round(31 + (ct.affine[0, 3] - part.grid.origin[0]))
    assert part.grid.spacing == (1.0,) * 3 and np.flatnonzero(fine[TUMOR] > 0.4).tolist() == [column]
    assert at(scores, TUMOR, (24, 30, 15)) == pytest.approx(fine[TUMOR, column] / 2, abs=0.01)


@pytest.mark.usefixtures("weights")
def test_a_ureter_has_the_mean_of_both_looks_and_the_rest_is_the_organ_s_and_the_background_s() -> None:
    """Of 0.8: 0.2 and half of it are ureter, 0.3 in the mean. The rest is background for both."""
    anew = shared(first=[0.6, 0.0, 0.0, 0.0, 0.2], second=[0.5, 0.0, 0.0, 0.0, 0.5])
    assert anew == pytest.approx([0.5, 0, 0, 0, 0.3], abs=1e-5)


@pytest.mark.usefixtures("weights")
def test_what_the_second_look_does_not_call_ureter_becomes_what_it_says_instead() -> None:
    """All ureter at first: half of it stays, and of the rest the second look alone knows what it is."""
    anew = shared(first=[0.0, 0.0, 0.0, 0.0, 1.0], second=[0.1, 0.9, 0.0, 0.0, 0.0])
    assert anew == pytest.approx([0.05, 0.45, 0, 0, 0.5], abs=1e-5)


@pytest.mark.usefixtures("weights")
def test_a_little_of_the_organ_is_an_opinion_too() -> None:
    """A hundredth is cyst for the first look, all kidney for the second: a quarter of what becomes organ is cyst."""
    anew = shared(first=[0.99, 0.0, 0.0, 0.01, 0.0], second=[0.0, 1.0, 0.0, 0.0, 0.0])
    assert anew[3] / anew[1:4].sum() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("of_organ", [1.0, 0.3, 1e-5, 1e-8, 0.0])
def test_probabilities_keep_their_sum_however_sure_the_second_look_is_of_background(of_organ: float) -> None:
    anew = shared(first=[0.1, 0.5, 0.0, 0.1, 0.0], second=[1 - of_organ, 0.0, of_organ, 0.0, 0.0])
    assert anew.sum() == pytest.approx(0.7, abs=1e-5)
    assert anew[1] > 5 * anew[2] or of_organ > 0.1  # what is no organ does not decide which one it is


def dim_is_tumor(hu: np.ndarray) -> np.ndarray:
    return maps_of(tumor=near(hu, DIM))


TWICE = system("ba_net", second_look="second_look")
MEMBER = Stub(FIRST, kidney_with(0.8, BRIGHT, DIM, TUMOR_HU))


def test_a_system_s_lesions_come_from_both_looks(parsed: Callable[..., LabelMap]) -> None:
    result = parsed(TWICE, {"ba_net": MEMBER, "second_look": Stub(SECOND, dim_is_tumor)})
    tumor = next(s for s in result.segments if s.structure.name == "tumor")
    assert result.mask(tumor)[62:68, 32:52, 92:112].mean() > 0.9  # where the patient's left kidney is dim
    assert not result.mask(tumor)[:58].any()


def volume_of(result: LabelMap, name: str) -> int:
    return sum(int(result.mask(s).sum()) for s in result.segments if s.structure.name == name)


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("step", [1, 2])
def test_what_holds_for_the_grid_holds_for_its_finer_parts(
    step: int, parsed: Callable[..., LabelMap], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dim 10 x 24 x 24 voxels: without contrast medium a tumor of 3 to 1 is kidney; where the locator, whose voxels
    are of 4 mm, sees liver kidney is nothing."""
    network = replace(SECOND, spacing_mm=(2.0 / step,) * 3)
    stubs = {"ba_net": MEMBER, "second_look": Stub(network, dim_is_tumor)}
    usual = parsed(TWICE, stubs)
    assert volume_of(usual, "tumor") > 4000
    monkeypatch.setattr(contrast, "MOST_PLAIN_HU", 250.0)
    plain = parsed(TWICE, stubs)
    assert plain.notes and volume_of(plain, "tumor") == 0

    def dim_is_liver(hu: np.ndarray) -> np.ndarray:
        kidney, spine, liver = near(hu, BRIGHT) | near(hu, TUMOR_HU), near(hu, SPINE), near(hu, DIM)
        return np.stack([~kidney & ~spine & ~liver, kidney, spine, liver, hu * 0])

    monkeypatch.setattr(cleanup, "_PRICE_OF_OTHERS", 50.0)
    beside_liver = parsed(TWICE, stubs | {LOCATOR: Stub(config("locator"), dim_is_liver)})
    assert volume_of(plain, "kidney") - volume_of(beside_liver, "kidney") > 2000


def test_what_is_no_kidney_goes_on_the_finer_grid_too(a_patient: Volume, parsed: Callable[..., LabelMap]) -> None:
    """A piece of 11 ml, 10 mm beside the left kidney, which is far larger."""
    a_patient.array[38:48, 34:46, 119:131] = BRIGHT
    stubs = {"ba_net": MEMBER, "second_look": Stub(SECOND, lambda hu: maps_of(background=hu < 50))}
    array = parsed(TWICE, stubs).structure_labels()
    assert array[40:46, 36:44, 96:112].any() and not array[:, :, 117:].any()


@pytest.mark.parametrize(
    "network", [None, replace(SECOND, spacing_mm=(1.5,) * 3)], ids=["not released", "another grid"]
)
def test_where_it_cannot_look_again_the_first_look_stands(
    network: NetworkConfig | None, parsed: Callable[..., LabelMap]
) -> None:
    def never(hu: np.ndarray) -> np.ndarray:
        raise AssertionError("the network was run")

    stubs = {"ba_net": MEMBER} | ({"second_look": Stub(network, never)} if network else {})
    assert {s.structure.name for s in parsed(TWICE, stubs).segments} == {"kidney"}


def test_progress_never_falls_where_a_kidney_is_cut_and_all_is_done_again(
    a_patient: Volume, parsed: Callable[..., LabelMap]
) -> None:
    """The locator sees the bright parts only, so the left kidney, tumor and all, ends far beyond its box."""
    a_patient.array[:, 30:54, 90:114] = DIM
    a_patient.array[80:, 30:54, 90:114] = BRIGHT

    def bright_alone(hu: np.ndarray) -> np.ndarray:
        kidney, spine = near(hu, BRIGHT), near(hu, SPINE)
        return np.stack([~kidney & ~spine, kidney, spine, hu * 0, hu * 0])

    seen: list[float] = []
    stubs = {
        "ba_net": MEMBER,
        "second_look": Stub(SECOND, dim_is_tumor),
        LOCATOR: Stub(config("locator"), bright_alone),
    }
    result = parsed(TWICE, stubs, lambda fraction, phase: seen.append(fraction))
    assert any("beyond" in str(note) for note in result.notes)
    assert seen == sorted(seen) and seen[-1] == 1
