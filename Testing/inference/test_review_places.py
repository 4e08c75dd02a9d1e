"""Review places on analytic shapes whose doubtful parts are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from KidneyParsingLib.anatomy import structure
from KidneyParsingLib.inference.review_places import review_places
from KidneyParsingLib.networks.configs import KITS_CLASSES, STRUCTURE_CLASSES
from KidneyParsingLib.review import ReviewPlace
from KidneyParsingLib.volumes.geometry import lps_to_ras, make_affine

SHAPE = (60, 64, 70)
SPACING = (2.0, 1.5, 1.8)
# Left-handed, turned by a right angle and moved: every slip of sign or axis moves a place.
AFFINE = make_affine((1.8, 1.5, 2.0), (31.0, -47.0, 800.0), np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]]))
MIDDLE = (60.0, 48.0, 63.0)
VOXEL_ML = float(np.prod(SPACING)) / 1000
Maps = dict[str, np.ndarray]


def positions() -> np.ndarray:
    """(3, z, y, x): mm along the index axes."""
    return np.stack(np.meshgrid(*[np.arange(n) * mm for n, mm in zip(SHAPE, SPACING, strict=True)], indexing="ij"))


def distance_from(center: tuple[float, ...]) -> np.ndarray:
    return np.linalg.norm(positions() - np.reshape(center, (3, 1, 1, 1)), axis=0)


def ball(center: tuple[float, ...], radius: float, blur: float = 1.0) -> np.ndarray:
    """A ball seen through a Gaussian blur of `blur` mm, as a straight edge shows it."""
    return ndtr((radius - distance_from(center)) / blur)


def tube(radius: float = 4.0, y: float = 48.0, x: float = 63.0, blur: float = 1.0) -> np.ndarray:
    """A tube along the whole z axis."""
    _, dy, dx = positions() - np.reshape((0, y, x), (3, 1, 1, 1))
    return ndtr((radius - np.hypot(dy, dx)) / blur)


def stacked(classes: tuple[str, ...] = STRUCTURE_CLASSES, **maps: np.ndarray) -> np.ndarray:
    """Softmax maps of structures by name, the rest background."""
    result = np.zeros((len(classes), *SHAPE), np.float32)
    for name, p in maps.items():
        result[classes.index(name)] = p
    result[0] = 1 - result[1:].sum(0)
    return result


def labels_of(maps: np.ndarray) -> np.ndarray:
    lookup = np.array([0, *(structure(name).label for name in STRUCTURE_CLASSES[1:])], np.uint8)
    return lookup[maps.argmax(0)]


def places_of(maps: np.ndarray, **more: object) -> tuple[ReviewPlace, ...]:
    return review_places(maps, labels_of(maps), STRUCTURE_CLASSES, SPACING, AFFINE, **more)


def ras(center: tuple[float, ...]) -> np.ndarray:
    index = np.divide(center, SPACING)[::-1]
    return (lps_to_ras(AFFINE) @ [*index, 1.0])[:3]


def away(place: ReviewPlace, center: tuple[float, ...]) -> float:
    """mm between a place and a position along the index axes."""
    return float(np.linalg.norm(np.subtract(place.center_ras, ras(center))))


def with_bump(p: float = 0.4, center: tuple[float, ...] = (60.0, 48.0, 92.0), radius: float = 8.0) -> np.ndarray:
    """A sharp ball of 25 mm with a vague ball on it."""
    return np.maximum(ball(MIDDLE, 25), np.where(distance_from(center) < radius, p, 0))


@pytest.mark.parametrize("blur", [0.1, 0.7, 1.4, 2.0])
@pytest.mark.parametrize("name", ["kidney", "tumor", "artery", "vein"])
def test_a_well_seen_edge_is_no_place(name: str, blur: float) -> None:
    found = [p for p in places_of(stacked(**{name: ball(MIDDLE, 24.3, blur)})) if p.kind == "uncertain"]
    assert found == []


def test_nothing_found_gives_no_place() -> None:
    assert places_of(stacked()) == ()
    assert review_places(np.zeros((7, *SHAPE)), np.zeros(SHAPE, np.uint8), STRUCTURE_CLASSES, SPACING, AFFINE) == ()


@pytest.mark.parametrize("p", [0.4, 0.6])
def test_a_vague_bump_is_one_place_of_its_volume(p: float) -> None:
    bump = (60.0, 48.0, 92.0)
    maps = stacked(kidney=with_bump(p, bump))
    (place,) = places_of(maps)
    vague = (distance_from(bump) < 8) & (distance_from(MIDDLE) > 25)
    expected = min(p, 1 - p) * vague.sum() * VOXEL_ML
    assert (place.structure, place.kind) == ("kidney", "uncertain")
    assert place.reason == ("The kidney may go on here." if p < 0.5 else "This may not be kidney.")
    assert place.ml == pytest.approx(expected, rel=0.25)
    assert away(place, (60.0, 48.0, 95.0)) < 4


def test_a_place_lies_in_what_is_vague() -> None:
    bump = (60.0, 48.0, 92.0)
    (place,) = places_of(stacked(kidney=with_bump(0.4, bump)))
    index = np.linalg.inv(lps_to_ras(AFFINE)) @ [*place.center_ras, 1]
    assert away(place, bump) < 8
    np.testing.assert_allclose(index, np.round(index), atol=1e-2)


def test_ranking_follows_ml() -> None:
    maps = stacked(kidney=np.maximum(with_bump(), with_bump(center=(60.0, 20.0, 63.0), radius=5.0)))
    large, small = places_of(maps)
    assert large.ml > small.ml
    assert 1 > large.score > small.score > 0
    assert away(large, (60.0, 48.0, 95.0)) < 5
    assert away(small, (60.0, 20.0, 63.0)) < 5


def test_the_same_ml_matters_more_in_a_smaller_structure() -> None:
    in_large = places_of(stacked(kidney=with_bump()))[0]
    in_small = places_of(stacked(vein=np.maximum(ball((60.0, 48.0, 81.0), 7), np.where(with_bump() == 0.4, 0.4, 0))))[0]
    assert in_small.score > 2 * in_large.score


def test_most_limits_the_number() -> None:
    maps = stacked(kidney=np.maximum(with_bump(), with_bump(center=(60.0, 20.0, 63.0), radius=5.0)))
    assert places_of(maps, most=1) == places_of(maps)[:1]


def test_a_long_vague_region_is_several_looks() -> None:
    _, y, x = positions()
    beside = (np.abs(y - 48) < 6) & (np.abs(x - 78) <= 6)
    kidney = (np.abs(y - 48) < 6) & (np.abs(x - 60) < 12)
    found = [
        p for p in places_of(stacked(kidney=np.where(kidney, 1, np.where(beside, 0.4, 0)))) if p.kind == "uncertain"
    ]
    assert 3 <= len(found) <= 8
    centers = np.array([p.center_ras for p in found])
    apart = np.linalg.norm(centers[:, None] - centers, axis=-1)
    assert apart[~np.eye(len(found), dtype=bool)].min() >= 10


def test_a_vague_tumor_in_a_kidney_is_a_question_about_tumor() -> None:
    kidney, lesion = ball(MIDDLE, 25), np.where(distance_from(MIDDLE) < 7, 0.45, 0.0)
    (place,) = places_of(stacked(kidney=kidney - lesion, tumor=lesion))
    assert (place.structure, place.reason) == ("tumor", "There may be a tumor here.")
    assert away(place, MIDDLE) < 3


def test_vague_kidney_far_from_kidneys_is_no_place() -> None:
    far = np.where(distance_from((20.0, 15.0, 15.0)) < 8, 0.4, 0)
    assert places_of(stacked(kidney=np.maximum(ball((70.0, 60.0, 80.0), 20), far))) == ()


def test_what_the_clean_up_removed_is_no_doubt() -> None:
    maps = stacked(kidney=np.maximum(ball(MIDDLE, 25), ball((60.0, 48.0, 97.0), 7)))
    labels = labels_of(maps)
    labels[:, :, positions()[2][0, 0] > 91] = 0
    found = review_places(maps, labels, STRUCTURE_CLASSES, SPACING, AFFINE)
    assert [p for p in found if p.kind == "uncertain"] == []


def test_nested_maps_are_understood() -> None:
    whole, tumor = with_bump(), np.where(distance_from(MIDDLE) < 7, 0.45, 0.0)
    maps = np.stack([whole, tumor]).astype(np.float32)
    labels = np.where(whole > 0.5, 1, 0).astype(np.uint8)
    found = review_places(maps, labels, KITS_CLASSES, SPACING, AFFINE)
    assert [p.structure for p in found] == ["tumor", "kidney"]
    assert away(found[0], MIDDLE) < 3


def gap_tube(p: float, low: float = 52.0, high: float = 58.0) -> np.ndarray:
    """A tube whose probability is `p` of its own from `low` to `high` mm."""
    z = positions()[0]
    return np.where((z > low - 1) & (z < high - 1), p, 1) * tube()


@pytest.mark.parametrize("name", ["artery", "vein", "ureter"])
def test_a_gap_of_three_voxels_is_a_place_in_its_middle(name: str) -> None:
    found = [p for p in places_of(stacked(**{name: gap_tube(0.4)})) if p.kind == "gap"]
    assert [p.structure for p in found] == [name]
    assert found[0].reason.startswith(f"The {name} may go on here: two parts end 8 mm apart")
    assert away(found[0], (54.0, 48.0, 63.0)) < 3
    half_ml = np.pi * 4**2 * 52 / 1000
    assert found[0].ml == pytest.approx(half_ml, rel=0.15)


def test_a_gap_outranks_doubt_of_its_own_size_and_is_told_once() -> None:
    places = places_of(stacked(artery=gap_tube(0.4)))
    assert [p.kind for p in places] == ["gap"]


@pytest.mark.parametrize("maps", [{"artery": gap_tube(0.01)}, {"artery": gap_tube(0.4, 30, 80)}])
def test_no_gap_where_nothing_bridges_it_or_it_is_long(maps: Maps) -> None:
    assert [p for p in places_of(stacked(**maps)) if p.kind == "gap"] == []


def test_a_thin_doubtful_neck_is_a_place() -> None:
    z = positions()[0]
    thick = np.where((z > 50) & (z < 60), 0.0, 1) * tube(5)
    thin = np.where((z > 50) & (z < 60), 0.52, 0) * (tube(2.0) > 0.5)
    (place,) = [p for p in places_of(stacked(artery=np.maximum(thick, thin))) if p.kind == "neck"]
    assert place.structure == "artery"
    assert away(place, (55.0, 48.0, 63.0)) < 4
    assert place.ml == pytest.approx(np.pi * 5**2 * 52 / 1000, rel=0.2)


def test_a_sure_neck_is_no_place() -> None:
    z = positions()[0]
    waist = np.where((z > 50) & (z < 60), tube(2.5, blur=0.3), tube(5))
    assert places_of(stacked(artery=waist)) == ()


def test_a_ureter_that_ends_between_kidney_and_border_is_a_place() -> None:
    z = positions()[0]
    maps = stacked(kidney=ball((100.0, 48.0, 63.0), 14), ureter=np.where((z > 50) & (z < 86), tube(3), 0))
    (place,) = [p for p in places_of(maps) if p.kind == "end"]
    assert place.structure == "ureter"
    assert away(place, (52.0, 48.0, 63.0)) < 5


def test_a_trunk_may_end_where_it_likes() -> None:
    z = positions()[0]
    assert places_of(stacked(artery=np.where((z > 30) & (z < 86), tube(6), 0))) == ()


def test_a_kidney_cut_by_the_border_is_a_place() -> None:
    (place,) = places_of(stacked(kidney=ball((110.0, 48.0, 63.0), 20)))
    assert (place.structure, place.kind) == ("kidney", "border")
    assert away(place, (117.0, 48.0, 63.0)) < 4


@pytest.mark.parametrize("told", [True, False])
def test_a_kidney_cut_by_what_was_not_parsed_is_a_place(told: bool) -> None:
    maps = stacked(kidney=ball(MIDDLE, 20))
    seen = np.broadcast_to(positions()[0] < 66, SHAPE)
    labels = np.where(seen, labels_of(maps), 0)
    more = {"seen": seen} if told else {}
    maps = maps if told else maps * seen
    (place,) = review_places(maps, labels, STRUCTURE_CLASSES, SPACING, AFFINE, **more)
    assert place.kind == "border"
    assert away(place, (64.0, 48.0, 63.0)) < 4


@pytest.mark.parametrize(("radius", "found"), [(3.6, False), (4.4, True), (5.6, True), (8.5, False)])
def test_lesions_near_the_smallest_kept_size_are_places(radius: float, found: bool) -> None:
    inside = ball(MIDDLE, radius, 0.2)
    maps = stacked(kidney=ball(MIDDLE, 25) - inside, cyst=inside)
    labels = labels_of(maps)
    kept = (labels == 6).sum() * VOXEL_ML >= 0.5
    if not kept:
        labels[labels == 6] = 1
    places = review_places(maps, labels, STRUCTURE_CLASSES, SPACING, AFFINE)
    assert [p.kind for p in places] == ["speck"] * found
    assert all(("kept" if kept else "dropped") in p.reason and away(p, MIDDLE) < 3 for p in places)


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    kidney = np.maximum(with_bump(), with_bump(center=(60.0, 20.0, 63.0), radius=5.0)) * (tube(9, 80, 110) < 0.1)
    return stacked(kidney=kidney, vein=gap_tube(0.4) * 0, artery=np.where(kidney > 0, 0, tube(4, 80, 110)))


def test_the_same_input_gives_the_same_places(many: np.ndarray) -> None:
    assert places_of(many) == places_of(many.copy()) != ()


def test_float16_maps_give_the_same_places(many: np.ndarray) -> None:
    labels = labels_of(many)
    pairs = zip(
        review_places(many, labels, STRUCTURE_CLASSES, SPACING, AFFINE),
        review_places(many.astype(np.float16), labels, STRUCTURE_CLASSES, SPACING, AFFINE),
        strict=True,
    )
    for exact, half in pairs:
        assert (exact.structure, exact.kind, exact.reason) == (half.structure, half.kind, half.reason)
        assert half.ml == pytest.approx(exact.ml, rel=0.02)
        np.testing.assert_allclose(half.center_ras, exact.center_ras, atol=4)


def test_the_input_is_left_as_it_was(many: np.ndarray) -> None:
    maps, labels = many.copy(), labels_of(many)
    maps.setflags(write=False)
    labels.setflags(write=False)
    assert review_places(maps, labels, STRUCTURE_CLASSES, SPACING, AFFINE)
