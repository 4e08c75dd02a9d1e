"""Made kidneys: frequencies of variants, branching by Murray's law, calibres, and how vessels and ureters hang
together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cc3d
import numpy as np
import pytest

from KidneyParsingLib.anatomy import LEFT, RIGHT
from KidneyParsingLib.synthesis.anatomy_builder import Atlases, make_anatomy
from KidneyParsingLib.synthesis.renal.branching import (
    Tube,
    Vessel,
    connected,
    grow_fan,
    kept_before,
    kept_out_of,
    murray_radius,
    painted,
)
from KidneyParsingLib.synthesis.renal.collecting_system import grow_collecting_systems
from KidneyParsingLib.synthesis.renal.kidneys import place_kidney, vary_shape
from KidneyParsingLib.synthesis.renal.landmarks import CenterLine, Landmarks
from KidneyParsingLib.synthesis.renal.lesions import (
    CYST,
    TUMOR,
    add_tumor,
    equivalent_diameter_mm,
    paint_lesions,
    with_lesions,
)
from KidneyParsingLib.synthesis.renal.parenchyma import Kidney
from KidneyParsingLib.synthesis.renal.renal_arteries import grow_arteries
from KidneyParsingLib.synthesis.renal.renal_tree import paint_trees
from KidneyParsingLib.synthesis.renal.variants import (
    SIDES,
    ArteryPlan,
    CollectingPlan,
    KidneyPlan,
    LesionPlan,
    RenalPlan,
    TumorPlan,
    VeinPlan,
    draw_renal_plan,
)
from KidneyParsingLib.synthesis.tissues import TUMOR_TISSUES, Tissue

SPACING = 2.0
SHAPE = (110, 90, 150)
MIDDLE_X = 75
HARD = (Tissue.BONE, Tissue.MARROW, Tissue.DISC)
NO_LESIONS = LesionPlan(None, False, (), False, False, False, 0.5, False, False, False)
PLAIN = KidneyPlan(
    state="normal", volume_ml=None, growth=1.0, turn_deg=0.0, lowered_mm=0.0, is_lobulated=False, pyramids=10,
    fat_mm=10.0, lesions=NO_LESIONS, arteries=(ArteryPlan(6.0, "hilum", 10.0, False, False),),
    vein=VeinPlan(10.0, ("direct",), 1.0),
    collecting=CollectingPlan("normal", False, False, 3, (), False, False, 4.0, 0),
)  # fmt: skip
PLAINS = {RIGHT: PLAIN, LEFT: replace(PLAIN, vein=VeinPlan(10.0, ("preaortic",), 1.0))}


def ellipsoid(radii_mm: tuple[float, float, float]) -> np.ndarray:
    """A kidney (label 1) with a cleft as its sinus, open to larger x (a right kidney)."""
    half = [int(r / SPACING) + 1 for r in radii_mm]
    z, y, x = (np.arange(-h, h + 1) * SPACING for h in half)
    grid = np.meshgrid(z, y, x, indexing="ij")
    solid = sum((g / r) ** 2 for g, r in zip(grid, radii_mm, strict=True)) <= 1
    return (solid & ~((np.abs(grid[0]) < 22) & (np.abs(grid[1]) < 6) & (grid[2] > -4))).astype(np.uint8)


def body() -> np.ndarray:
    """Fat with a straight spine, aorta left and cava right before it; no psoas."""
    tissues = np.full(SHAPE, Tissue.FAT, np.uint8)
    _, y, x = np.ogrid[tuple(map(slice, SHAPE))]
    tissues[:, 60:80, MIDDLE_X - 11 : MIDDLE_X + 12] = Tissue.MARROW
    for tissue, at in ((Tissue.ARTERY, MIDDLE_X + 7), (Tissue.VEIN, MIDDLE_X - 7)):
        disc = (y - 52) ** 2 + (x - at) ** 2 <= 5**2
        tissues[np.broadcast_to(disc, SHAPE)] = tissue
    return tissues


def line(x: float, y: float = 52.0, radius: float = 5.0) -> CenterLine:
    points = np.array([(z, y, x) for z in range(SHAPE[0])], float)
    return CenterLine(points, np.full(len(points), radius))


def landmarks() -> Landmarks:
    front = np.full((SHAPE[0], SHAPE[2]), SHAPE[1], np.float32)
    front[:, MIDDLE_X - 11 : MIDDLE_X + 12] = 60
    aorta = front.copy()
    aorta[:, MIDDLE_X + 2 : MIDDLE_X + 13] = 47
    sides = {RIGHT: MIDDLE_X - 16, LEFT: MIDDLE_X + 16}
    return Landmarks(
        aorta=line(MIDDLE_X + 7), cava=line(MIDDLE_X - 7), psoas={s: line(x, 66.0, 6.0) for s, x in sides.items()},
        ureters={s: line(x).points[:20] for s, x in sides.items()}, front=front, before_aorta=aorta, cover=front,
        brim=dict.fromkeys(SIDES, 20.0), bladder={s: np.array([4.0, 60, x]) for s, x in sides.items()},
    )  # fmt: skip


def placed(
    side: str = RIGHT, plan: KidneyPlan | None = None, seed: int = 0, array: np.ndarray | None = None
) -> tuple[np.ndarray, Kidney]:
    rng, tissues = np.random.default_rng(seed), body()
    plan = plan or PLAINS[side]
    array = ellipsoid((55, 25, 28)) if array is None else array
    array = array if side == RIGHT else array[:, :, ::-1]
    shape, outward = vary_shape(array, side, plan, 0.0, SPACING, rng)
    center = np.array([72.0, 62, MIDDLE_X + (40 if side == LEFT else -40)])
    kidney = place_kidney(tissues, shape, outward, center, side, plan, SPACING, rng)
    assert kidney is not None
    return tissues, kidney


def with_tree(side: str, plan: KidneyPlan | None = None, seed: int = 0) -> tuple[np.ndarray, Kidney]:
    tissues, kidney = placed(side, plan, seed)
    paint_trees(tissues, [kidney], landmarks(), np.random.default_rng(seed))
    return tissues, kidney


def parts(mask: np.ndarray) -> int:
    return int(cc3d.connected_components(mask, connectivity=26).max())


@pytest.fixture(scope="module")
def plans() -> list[RenalPlan]:
    rng = np.random.default_rng(0)
    return [draw_renal_plan(rng) for _ in range(5000)]


def test_lesions_are_as_frequent_in_patients_as_wanted(plans: list[RenalPlan]) -> None:
    tumor = [any(k.lesions.tumor for k in p.kidneys.values()) for p in plans]
    cyst = [any(k.lesions.cysts_mm for k in p.kidneys.values()) for p in plans]
    assert np.mean(tumor) == pytest.approx(0.60, abs=0.03)
    assert np.mean(cyst) == pytest.approx(0.35, abs=0.03)
    sizes = [k.lesions.tumor.diameter_mm for p in plans for k in p.kidneys.values() if k.lesions.tumor]
    assert min(sizes) >= 10 and max(sizes) <= 120 and np.mean(np.array(sizes) > 40) > 0.2


def test_variants_are_as_frequent_as_wanted(plans: list[RenalPlan]) -> None:
    kidneys = [k for p in plans for k in p.kidneys.values()]
    assert np.mean([p.is_horseshoe for p in plans]) == pytest.approx(0.015, abs=0.006)
    assert np.mean([any(not k.is_present for k in p.kidneys.values()) for p in plans]) == pytest.approx(0.05, abs=0.01)
    assert np.mean([k.state == "ptotic" for k in kidneys]) * 2 == pytest.approx(0.015, abs=0.006)
    assert np.mean([k.collecting.width == "dilated" for k in kidneys]) == pytest.approx(0.08, abs=0.01)
    assert np.mean([bool(k.collecting.stones_mm) for k in kidneys]) == pytest.approx(0.06, abs=0.01)
    assert np.mean([k.collecting.has_stent for k in kidneys]) == pytest.approx(0.02, abs=0.006)
    assert np.mean([k.collecting.is_duplicated for k in kidneys]) == pytest.approx(0.02, abs=0.006)


def test_vessels_vary_as_often_as_wanted(plans: list[RenalPlan]) -> None:
    kidneys = [k for p in plans for k in p.kidneys.values()]
    counts = np.bincount([len(k.arteries) for k in kidneys]) / len(kidneys)
    assert counts[1:] == pytest.approx([0.70, 0.25, 0.05], abs=0.02)
    left, right = ([p.kidneys[side].vein.courses for p in plans] for side in (LEFT, RIGHT))
    assert np.mean(["retroaortic" in c for c in left]) == pytest.approx(0.06, abs=0.015)
    assert np.mean([len(c) == 2 for c in right]) == pytest.approx(0.15, abs=0.02)
    assert all(4.5 <= k.arteries[0].diameter_mm <= 7 and 8 <= k.vein.diameter_mm <= 13 for k in kidneys)


def test_a_lone_kidney_is_not_atrophic_and_fat_is_alike_on_both_sides(plans: list[RenalPlan]) -> None:
    for plan in plans:
        assert any(k.state == "normal" for k in plan.kidneys.values())
    fat = np.log([[p.kidneys[side].fat_mm for side in SIDES] for p in plans])
    assert np.corrcoef(fat.T)[0, 1] > 0.8 and 2 <= np.exp(fat).min() and np.exp(fat).max() <= 25


def test_the_same_seed_draws_the_same_plan() -> None:
    assert draw_renal_plan(np.random.default_rng(4)) == draw_renal_plan(np.random.default_rng(4))


def test_two_equal_branches_are_a_fifth_narrower() -> None:
    """2^(-1/3) = 0.794."""
    assert murray_radius(np.array([0.794, 0.794])) == pytest.approx(1.0, abs=0.001)


def test_a_fan_s_branches_add_up_to_its_trunk() -> None:
    rng = np.random.default_rng(1)
    trunk = Vessel(np.linspace((0.0, 0, 0), (20.0, 0, 0), 40), np.full(40, 2.0), 2.0)
    vessels = grow_fan(trunk, rng.uniform(10, 40, (5, 3)), SPACING, rng, 0.1)
    assert murray_radius(np.array([v.radius for v in vessels[1:]])) == pytest.approx(2.0)


@pytest.mark.parametrize("side", SIDES)
def test_every_artery_follows_murray_s_law_at_every_fork(side: str) -> None:
    tissues, kidney = placed(side)
    (tree,) = grow_arteries(kidney, landmarks(), np.random.default_rng(2))
    forks = {v.parent for v in tree} - {-1}
    assert len(forks) >= 5 and tree[0].radius == pytest.approx(3.0)
    for index in forks:
        children = np.array([v.radius for v in tree if v.parent == index])
        assert tree[index].radius == pytest.approx(murray_radius(children), rel=1e-6)
    ends = [2 * v.radius for i, v in enumerate(tree) if i not in forks]
    assert 1.0 < np.median(ends) < 2.5
    for vessel in tree[1:]:
        assert np.linalg.norm(tree[vessel.parent].path - vessel.path[0], axis=1).min() < 1


@pytest.mark.parametrize(("side", "seed"), [(s, i) for s in SIDES for i in range(3)])
def test_vessels_hang_on_aorta_and_cava_and_leave_bone_alone(side: str, seed: int) -> None:
    before, _ = placed(side, seed=seed)
    tissues, kidney = with_tree(side, seed=seed)
    for tissue, least_ml in ((Tissue.ARTERY, 1.5), (Tissue.VEIN, 2.0)):
        assert parts(tissues == tissue) == 1
        new = (tissues == tissue) & (before != tissue)
        assert least_ml < new.sum() * SPACING**3 / 1000 < 30
        reach = np.argwhere(new)[:, 2] - MIDDLE_X
        assert (np.abs(reach).max() > 35) and np.sign(reach[np.abs(reach).argmax()]) == (1 if side == LEFT else -1)
    assert np.array_equal(np.isin(tissues, HARD), np.isin(before, HARD))


def test_the_left_vein_passes_before_the_aorta_or_behind_it() -> None:
    for course in ("preaortic", "retroaortic"):
        plan = replace(PLAIN, vein=VeinPlan(9.0, (course,), 1.0))
        new = (with_tree(LEFT, plan)[0] == Tissue.VEIN) & (body() == Tissue.FAT)
        at_aorta = np.argwhere(new[:, :, MIDDLE_X + 5 : MIDDLE_X + 10])[:, 1]
        assert len(at_aorta) and ((at_aorta < 52) if course == "preaortic" else (at_aorta > 52)).all()


def test_the_right_artery_passes_behind_the_cava_unless_planned_before_it() -> None:
    for is_precaval in (False, True):
        plan = replace(PLAIN, arteries=(ArteryPlan(5.0, "hilum", 10.0, is_precaval, False),))
        _, kidney = placed(RIGHT, plan)
        (tree,) = grow_arteries(kidney, landmarks(), np.random.default_rng(0))
        at_cava = tree[0].path[np.abs(tree[0].path[:, 2] - (MIDDLE_X - 7)) < 1][:, 1]
        assert ((at_cava < 52) if is_precaval else (at_cava > 52)).all()


def test_polar_arteries_reach_their_pole() -> None:
    for target, sign in (("upper", 1), ("lower", -1)):
        plan = replace(PLAIN, arteries=(*PLAIN.arteries, ArteryPlan(3.0, target, 0.0, False, False)))
        _, kidney = placed(RIGHT, plan)
        tree = grow_arteries(kidney, landmarks(), np.random.default_rng(0))[1]
        assert sign * kidney.height(tree[0].path[-1:])[0] > 15


@pytest.mark.parametrize("side", SIDES)
def test_the_ureter_joins_pelvis_and_bladder(side: str) -> None:
    plan = replace(PLAINS[side], collecting=replace(PLAIN.collecting, collapsed_parts=2))
    tissues, kidney = with_tree(side, plan)
    labels = cc3d.connected_components(tissues == Tissue.URINE, connectivity=26)
    largest = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    heights = np.flatnonzero(largest.any((1, 2)))
    assert heights[0] <= 6 and heights[-1] >= kidney.hilum[0] and len(heights) == heights[-1] - heights[0] + 1


def test_a_ureter_is_as_wide_as_planned() -> None:
    """Mean area of its cross-sections below the kidney against that of a 6 mm disc, uneven by 15 %."""
    plan = replace(PLAIN, collecting=replace(PLAIN.collecting, ureter_mm=6.0))
    tissues, _ = with_tree(RIGHT, plan)
    area = (tissues[20:36] == Tissue.URINE).sum((1, 2)).mean() * SPACING**2
    assert 2 * np.sqrt(area / np.pi) == pytest.approx(6.0, rel=0.3)


def test_a_straight_vessel_has_its_calibre() -> None:
    path = np.linspace((5.0, 30, 30), (55.0, 30, 30), 101)
    mask = painted((60, 60, 60), [Tube(path, np.full(101, 3.0))], 0.5)
    area = mask[15:45].sum((1, 2)).mean() * 0.25
    assert 2 * np.sqrt(area / np.pi) == pytest.approx(6.0, rel=0.05)


def test_dilated_stone_bearing_and_stented_systems_are_seen() -> None:
    volumes = {}
    for width in ("collapsed", "normal", "dilated"):
        tissues, _ = with_tree(RIGHT, replace(PLAIN, collecting=replace(PLAIN.collecting, width=width)))
        volumes[width] = int((tissues == Tissue.URINE).sum())
    assert volumes["collapsed"] < volumes["normal"] < volumes["dilated"] / 2
    full = replace(PLAIN.collecting, stones_mm=(6.0, 12.0), has_stent=True)
    tissues, _ = with_tree(RIGHT, replace(PLAIN, collecting=full))
    assert (tissues == Tissue.STONE).any()
    heights = np.flatnonzero((tissues == Tissue.STENT).any((1, 2)))
    assert heights[-1] - heights[0] > 45


def test_a_duplicated_system_has_two_pelves() -> None:
    plan = replace(PLAIN, collecting=replace(PLAIN.collecting, is_duplicated=True))
    _, kidney = placed(RIGHT, plan)
    systems = grow_collecting_systems(kidney, np.random.default_rng(0))
    assert len(systems) == 2
    lower, upper = (kidney.height(np.array([c.path[-1] for c in s.calyces])).mean() for s in systems)
    assert upper - lower > 15


def test_the_medulla_is_cut_into_pyramids_under_a_cortex() -> None:
    tissues, kidney = placed(RIGHT)
    window = tissues[tuple(slice(c, c + n) for c, n in zip(kidney.corner, kidney.solid.shape, strict=True))]
    medulla, cortex = window == Tissue.MEDULLA, window == Tissue.CORTEX
    sizes = np.bincount(cc3d.connected_components(medulla, connectivity=6).ravel())[1:] * SPACING**3
    assert 5 <= (sizes > 300).sum() <= 14
    assert 0.12 < medulla.sum() / (medulla | cortex).sum() < 0.5
    assert not (medulla & kidney.shell).any()
    assert kidney.sinus.sum() * SPACING**3 > 1500 and (window[kidney.sinus] == Tissue.FAT).all()


def test_a_made_tumor_has_its_size_and_contents() -> None:
    rng = np.random.default_rng(3)
    shape = add_tumor(np.pad(ellipsoid((55, 25, 28)), 30), TumorPlan(50.0, 0.2, 0.05), SPACING, rng)
    assert equivalent_diameter_mm(shape == TUMOR, SPACING) == pytest.approx(50, rel=0.15)
    local = np.full(shape.shape, Tissue.FAT, np.uint8)
    plan = replace(NO_LESIONS, necrosis=0.5, has_calcium=True, is_fatty=True)
    paint_lesions(local, shape, plan, SPACING, rng)
    assert np.array_equal(np.isin(local, TUMOR_TISSUES), shape == TUMOR)
    assert all((local == tissue).any() for tissue in TUMOR_TISSUES)


def test_cysts_do_not_eat_tumors_and_come_in_the_planned_size() -> None:
    plan = replace(NO_LESIONS, tumor=TumorPlan(40.0, 0.0, 0.0), cysts_mm=(30.0,))
    shape, _ = vary_shape(ellipsoid((55, 25, 28)), RIGHT, replace(PLAIN, lesions=plan), 0.0, SPACING,
                          np.random.default_rng(5))  # fmt: skip
    assert equivalent_diameter_mm(shape == TUMOR, SPACING) == pytest.approx(40, rel=0.1)
    assert 10 < equivalent_diameter_mm(shape == CYST, SPACING) < 32


def test_a_large_tumor_s_thrombus_reaches_the_cava_and_stays_in_veins() -> None:
    lesions = replace(NO_LESIONS, tumor=TumorPlan(60.0, 0.3, 0.0), has_thrombus=True)
    tissues, kidney = placed(RIGHT, replace(PLAIN, lesions=lesions), seed=1)
    before = tissues.copy()
    paint_trees(tissues, [kidney], landmarks(), np.random.default_rng(1))
    thrombus = tissues == Tissue.THROMBUS
    assert (thrombus & (before == Tissue.VEIN)).any() and (thrombus & (before != Tissue.VEIN)).any()
    assert parts(thrombus | (tissues == Tissue.VEIN)) == 1


def test_an_atrophic_kidney_has_the_planned_volume() -> None:
    shape, _ = vary_shape(ellipsoid((55, 25, 28)), RIGHT, replace(PLAIN, volume_ml=35.0), 0.0, SPACING,
                          np.random.default_rng(0))  # fmt: skip
    assert (shape == 1).sum() * SPACING**3 / 1000 == pytest.approx(35, rel=0.06)


def test_malrotation_turns_the_hilum_forward() -> None:
    array = ellipsoid((55, 25, 28))
    for side in SIDES:
        _, outward = vary_shape(array, side, replace(PLAIN, turn_deg=80.0), 0.0, SPACING, np.random.default_rng(0))
        assert outward[1] / np.linalg.norm(outward) < -0.7


def test_organs_leave_the_perirenal_fat() -> None:
    rng = np.random.default_rng(0)
    tissues = np.full(SHAPE, Tissue.LIVER, np.uint8)
    shape, outward = vary_shape(ellipsoid((55, 25, 28)), RIGHT, PLAIN, 0.0, SPACING, rng)
    kidney = place_kidney(tissues, shape, outward, np.array([60.0, 45, 60]), RIGHT, PLAIN, SPACING, rng)
    assert kidney is not None and 50 < (tissues == Tissue.FAT).sum() * SPACING**3 / 1000 < 400


def test_paths_keep_before_the_spine_and_out_of_a_ball() -> None:
    path = np.linspace((30.0, 40, 5), (30.0, 40, 55), 101)
    front = np.full((60, 60), 99, np.float32)
    front[:, 25:35] = 38
    moved = kept_before(path, front, 2.0)
    assert (moved[np.abs(moved[:, 2] - 30) < 5][:, 1] <= 36).all() and np.array_equal(moved[0], path[0])
    z, y, x = np.ogrid[:60, :60, :60]
    ball = (z - 30) ** 2 + (y - 39) ** 2 + (x - 30) ** 2 <= 8**2
    around = kept_out_of(path, ball, np.zeros(3), 2.0)
    assert ball[tuple(np.round(around).astype(int).T)].mean() < 0.1
    assert np.linalg.norm(np.diff(connected(around), axis=0), axis=1).max() <= 0.51


def test_the_same_seed_makes_the_same_kidney() -> None:
    first, again = (with_tree(LEFT, seed=7)[0] for _ in range(2))
    assert np.array_equal(first, again)


def test_kidneys_of_a_whole_patient_hang_together(shared_data: Path) -> None:
    atlases = Atlases(shared_data / "spl_atlas", shared_data / "kidney_atlas")
    tissues = make_anatomy(atlases, np.random.default_rng(12), 3.0)
    for kinds in ((Tissue.ARTERY, Tissue.PLAQUE), (Tissue.VEIN, Tissue.THROMBUS)):
        mask = np.isin(tissues, kinds)
        labels = cc3d.connected_components(mask, connectivity=26)
        assert np.bincount(labels[mask]).max() > 0.97 * mask.sum()


def test_a_polycystic_kidney_grows_no_further_than_its_cysts() -> None:
    """Fifty cysts of 30 mm in a kidney of 60 mm reach at most a diameter beyond it, however many they are."""
    axes = np.ogrid[tuple(slice(-16, 17) for _ in range(3))]
    kidney = (sum(axis**2 for axis in axes) < 15**2).astype(np.uint8)
    plan = replace(NO_LESIONS, cysts_mm=(30.0,) * 50, polycystic=True)
    shape = with_lesions(kidney, plan, 2.0, np.random.default_rng(3))
    assert max(shape.shape) <= 33 + 2 * 25 and (shape == 3).sum() > 1000
    assert kidney.max() == 1  # the shape that was given stays as it is
