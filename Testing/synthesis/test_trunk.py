"""The trunk around the kidneys: great vessels, crura, bowel, organs and what lies around a patient."""

from __future__ import annotations

from pathlib import Path

import cc3d
import numpy as np
import pytest
from scipy import ndimage

from KidneyParsingLib.anatomy import LEFT, RIGHT
from KidneyParsingLib.synthesis.atlas import spl_labels, spl_tissues
from KidneyParsingLib.synthesis.fields import warp_labels
from KidneyParsingLib.synthesis.tissues import VERTEBRA_TISSUES, Tissue
from KidneyParsingLib.synthesis.trunk.body import fill_body
from KidneyParsingLib.synthesis.trunk.bowel_loops import paint_loop
from KidneyParsingLib.synthesis.trunk.coarse import CoarseGrid
from KidneyParsingLib.synthesis.trunk.crura import paint_crura
from KidneyParsingLib.synthesis.trunk.great_vessels import GreatVessels
from KidneyParsingLib.synthesis.trunk.habitus import draw_habitus
from KidneyParsingLib.synthesis.trunk.scene import Scene
from KidneyParsingLib.synthesis.trunk.trunk_marks import KidneyPlace, TrunkMarks
from KidneyParsingLib.synthesis.trunk.tubes import tube
from KidneyParsingLib.synthesis.trunk.vessel_lines import Fork, follow

SPACING = 3.0
SHAPE = (117, 133, 147)
AROUND = (Tissue.AIR, Tissue.TABLE, Tissue.CLOTH, Tissue.METAL)


def patient(spl: Path, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    matrix = np.diag(1 / np.array([rng.uniform(0.9, 1.1), 1.15, 1.15]))
    tissues = spl_tissues(warp_labels(spl_labels(spl, SPACING), matrix, SHAPE, 1.5, 20, rng))
    fill_body(tissues, SPACING, rng)
    return tissues


@pytest.fixture(scope="module")
def patients(shared_data: Path) -> list[np.ndarray]:
    return [patient(shared_data / "spl_atlas", seed) for seed in range(2)]


def ml(mask: np.ndarray) -> float:
    return float(mask.sum()) * SPACING**3 / 1000


def parts(mask: np.ndarray) -> np.ndarray:
    """Sizes of the connected parts, largest first."""
    return np.sort(np.bincount(cc3d.connected_components(mask, connectivity=26).ravel())[1:])[::-1]


def made_scene(shape: tuple[int, int, int], seed: int = 0) -> Scene:
    """Fat with nothing in it, 2 mm; kidneys and a spine are only marked."""
    rng = np.random.default_rng(seed)
    low, high = np.array([60, 0, 0]), np.array([100, 0, 0])
    marks = TrunkMarks(
        np.full(shape[0], shape[2] / 2),
        np.full(shape[0], shape[1] - 10.0),
        {side: KidneyPlace(low, high, (low + high) / 2) for side in (RIGHT, LEFT)},
    )
    tissues = np.full(shape, Tissue.FAT, np.uint8)
    grid = CoarseGrid(shape, 2.0)
    return Scene(tissues, 2.0, rng, draw_habitus(rng), grid, marks, np.full(shape, 50.0), np.zeros(shape, bool))


def test_the_same_seed_makes_the_same_trunk_and_another_one_another(
    shared_data: Path, patients: list[np.ndarray]
) -> None:
    assert np.array_equal(patient(shared_data / "spl_atlas", 1), patients[1])
    assert (patients[0] != patients[1]).mean() > 0.1


@pytest.mark.parametrize("kinds", [(Tissue.ARTERY, Tissue.PLAQUE), (Tissue.VEIN,)])
def test_a_great_vessel_is_one_tree_from_top_to_bottom_with_two_branches(
    patients: list[np.ndarray], kinds: tuple[Tissue, ...]
) -> None:
    for tissues in patients:
        mask = np.isin(tissues, kinds)
        assert parts(mask)[0] > 0.99 * mask.sum()
        heights = np.flatnonzero(mask.any((1, 2)))
        assert heights[0] <= 3 and heights[-1] >= len(tissues) * 0.8
        lowest = mask[heights[0] + 3]
        columns = np.flatnonzero(lowest.any(0))
        assert np.diff(columns).max() * SPACING > 20


def test_the_aorta_s_calibre_is_an_adult_s_and_the_cava_lies_on_its_right(patients: list[np.ndarray]) -> None:
    for tissues in patients:
        kidneys = np.flatnonzero((tissues == Tissue.CORTEX).any((1, 2)))
        z = int(kidneys.mean())
        artery, vein = (np.argwhere(np.isin(tissues[z], k)) for k in ((Tissue.ARTERY, Tissue.PLAQUE), (Tissue.VEIN,)))
        assert 13 < 2 * np.sqrt(len(artery) / np.pi) * SPACING < 30
        assert vein[:, 1].mean() < artery[:, 1].mean()


def test_crura_are_muscle_on_both_sides_that_touch_the_aorta(patients: list[np.ndarray]) -> None:
    for tissues in patients:
        kidneys = np.flatnonzero((tissues == Tissue.CORTEX).any((1, 2)))
        artery = np.isin(tissues, (Tissue.ARTERY, Tissue.PLAQUE))
        sides = []
        for z in range(int(kidneys.mean()), kidneys[-1]):
            middle = np.argwhere(artery[z]).mean(0)[1]
            rim = ndimage.binary_dilation(artery[z], iterations=2)
            columns = np.nonzero(rim & (tissues[z] == Tissue.MUSCLE))[1]
            sides.append([(columns < middle).any(), (columns > middle).any()])
        assert (np.mean(sides, axis=0) > 0.5).all()


def test_crura_around_a_straight_aorta_are_3_to_14_mm_thick_and_the_right_one_is_longer() -> None:
    scene = made_scene((140, 80, 80))
    line = np.c_[np.arange(140.0), np.full((140, 2), 40.0)]
    radii = np.full(140, 6.0)
    aorta = Fork((line, line), 0)
    paint_crura(scene, GreatVessels(aorta, aorta, (radii, radii), np.zeros(scene.tissues.shape, bool)))
    muscle = scene.tissues == Tissue.MUSCLE
    away = np.hypot(*(np.argwhere(muscle)[:, 1:] - 40).T) * 2 - 12
    assert away.min() < 2 and away.max() < 34
    lengths = [np.flatnonzero(half.any((1, 2))).size for half in (muscle[..., :38], muscle[..., 43:])]
    assert lengths[0] > lengths[1] > 25
    across = muscle[84, 40, :34].sum() * 2
    assert 3 <= across <= 14


def test_every_patient_has_one_spine_over_the_whole_canvas(patients: list[np.ndarray]) -> None:
    for tissues in patients:
        spine = np.isin(tissues, (*VERTEBRA_TISSUES, Tissue.BONE, Tissue.METAL)) & ~np.isin(tissues, AROUND)
        core = np.isin(tissues, VERTEBRA_TISSUES)
        assert core.any((1, 2)).mean() > 0.9
        assert parts(spine)[0] > 0.5 * spine.sum()


def test_outside_the_body_are_only_table_cloth_metal_and_arms(patients: list[np.ndarray]) -> None:
    arm = (Tissue.SKIN, Tissue.FAT, Tissue.MUSCLE, Tissue.BONE)
    for tissues in patients:
        solid = cc3d.connected_components(~np.isin(tissues, AROUND), connectivity=6)
        body = solid == np.bincount(solid.ravel())[1:].argmax() + 1
        assert np.isin(tissues[~body], (*AROUND, *arm)).all()
        filled = np.stack([ndimage.binary_fill_holes(plane) for plane in body])
        # The air between an arm and the trunk that it touches.
        assert (tissues[filled] == Tissue.AIR).mean() < 2e-4


def test_organs_have_adult_volumes(patients: list[np.ndarray]) -> None:
    for tissues in patients:
        assert 80 < ml(tissues == Tissue.SPLEEN) < 950
        assert 900 < ml(tissues == Tissue.LIVER) < 2500
        assert 0.5 < ml(tissues == Tissue.ADRENAL) < 40
        assert ml(tissues == Tissue.BOWEL_WALL) > 150


def test_a_loop_of_bowel_has_a_wall_all_around_and_gas_above_its_fluid() -> None:
    """Gas lies in front (small y) of a patient on the back."""
    path = np.c_[np.full(60, 20.0), np.full(60, 20.0), np.linspace(10, 50, 60)]
    levels = []
    for seed in range(12):
        scene = made_scene((40, 40, 60), seed)
        paint_loop(scene, np.full(scene.tissues.shape, 50.0), path, np.full(60, 12.0), 2.5, [Tissue.BOWEL_FLUID])
        gas, fluid = (np.argwhere(scene.tissues == kind)[:, 1] for kind in (Tissue.BOWEL_GAS, Tissue.BOWEL_FLUID))
        lumen = np.isin(scene.tissues, (Tissue.BOWEL_GAS, Tissue.BOWEL_FLUID))
        around = ndimage.binary_dilation(lumen) & ~lumen
        assert (scene.tissues[around] == Tissue.BOWEL_WALL).all()
        if len(gas):
            levels.append(gas.max() < fluid.min())
    assert levels and all(levels)


def test_bowel_stays_out_of_what_is_reserved_and_keeps_its_wall_there() -> None:
    scene = made_scene((40, 40, 60))
    scene.reserved[:, :, 30:] = True
    room = np.broadcast_to((29.5 - np.arange(60)) * 2.0, scene.tissues.shape)
    path = np.c_[np.linspace(5, 35, 40), np.full((40, 1), 20), np.full((40, 1), 28)]
    paint_loop(scene, room, path, np.full(40, 12.0), 2.5, [Tissue.BOWEL_CONTRAST])
    assert (scene.tissues[:, :, 30:] == Tissue.FAT).all()
    assert scene.tissues[20, 20, 29] == Tissue.BOWEL_WALL and scene.tissues[20, 20, 25] == Tissue.BOWEL_CONTRAST


def test_a_fork_is_followed_from_both_branches_to_the_common_top() -> None:
    """A Y of 1 mm voxels: branches 60 mm apart below meet at z = 60."""
    mask = np.zeros((140, 60, 120), bool)
    for sign in (-1, 1):
        points = np.array([(z, 30, 60 + sign * max(0.0, (60 - z) * 0.5)) for z in range(140)], float)
        shape = tube(mask.shape, points, 6.0)
        mask[shape.box] |= shape.depth > 0
    marks = made_scene((140, 60, 120)).marks
    fork = follow(mask, marks, 1.0)
    assert fork.split == pytest.approx(60, abs=8)
    assert fork.trunk[-1] == pytest.approx([139, 30, 60], abs=1)
    assert [branch[0, 2] for branch in fork.branches] == pytest.approx([30, 90], abs=3)
    assert follow(mask[:40], marks, 1.0) is None


@pytest.mark.parametrize("squash", [1.0, 0.6])
def test_a_tube_has_the_volume_of_its_ellipse_times_its_length(squash: float) -> None:
    line = np.c_[np.arange(0.0, 60), np.full((60, 2), 20.3)]
    shape = tube((60, 41, 41), line, 9.0, squash)
    assert (shape.depth > 0).sum() == pytest.approx(np.pi * 81 * squash * 60, rel=0.05)
    assert shape.depth.max() == pytest.approx(9, abs=0.7)
    assert tube((60, 41, 41), line + [0, 500, 0], 9.0) is None


@pytest.mark.parametrize("spacing", [1.0, 1.5, 2.0, 4.0])
def test_distances_on_the_coarse_grid_are_in_mm_at_any_spacing(spacing: float) -> None:
    side = round(120 / spacing)
    away = np.sqrt(sum((axis + 0.5 - side / 2) ** 2 for axis in np.ogrid[(slice(side),) * 3])) * spacing
    grid = CoarseGrid((side,) * 3, spacing)
    found = grid.up(grid.signed(grid.share(away < 40) >= 0.5))
    near = np.abs(away - 40) < 25
    assert np.abs(found - (40 - away))[near].mean() < 1.5
    assert found.shape == away.shape


def test_a_volume_without_spine_and_kidneys_still_becomes_a_body() -> None:
    tissues = np.zeros((40, 60, 60), np.uint8)
    tissues[5:35, 20:40, 15:45] = Tissue.LIVER
    fill_body(tissues, 4.0, np.random.default_rng(0))
    assert {Tissue.SKIN, Tissue.FAT, Tissue.LIVER} <= set(np.unique(tissues))
