"""The realism check against analytic inputs: noise, edges, tubes, kidneys; and that it fails when it shall."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from KidneyParsingLib.realism import noise, regions
from KidneyParsingLib.realism.comparison import compare
from KidneyParsingLib.realism.ct_scan import CtScan, upright_scan
from KidneyParsingLib.realism.edges import edge_profiles, gradient_magnitude, rise_distance
from KidneyParsingLib.realism.measures import ScanMeasures, measure
from KidneyParsingLib.realism.references import Reference
from KidneyParsingLib.realism.shapes import kidney_shapes, kidneys_by_side, sphere_diameter
from KidneyParsingLib.realism.tubes import (
    center_line_length,
    center_points,
    slice_calibres,
    tube_diameter,
    without_trunk,
)  # fmt: skip
from KidneyParsingLib.realism.verdict import (
    Row,
    distribution_row,
    markdown,
    prediction_interval,
    reference_row,
    share_row,
    value_row,
)  # fmt: skip
from KidneyParsingLib.volumes.volume import Volume


def white(std: float, shape: tuple[int, ...] = (12, 128, 128), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, std, shape).astype(np.float32)


def windows_of(image: np.ndarray) -> np.ndarray:
    corners = [(z, y, x) for z in range(len(image)) for y in range(0, 112, 16) for x in range(0, 112, 16)]
    return np.stack([noise.window_at(image, np.array(c)) for c in corners])


# noise


@pytest.mark.parametrize("std", [5.0, 20.0])
def test_white_noise_has_its_standard_deviation_whatever_it_lies_on(std: float) -> None:
    ramp = np.linspace(0, 300, 128)[None, None, :]
    assert noise.local_std(white(std) + ramp, np.ones((12, 128, 128), bool)) == pytest.approx(std, rel=0.02)


def test_no_standard_deviation_from_a_handful_of_voxels() -> None:
    assert np.isnan(noise.local_std(white(5), np.zeros((12, 128, 128), bool)))


def test_white_noise_has_a_flat_spectrum() -> None:
    frequencies, power = noise.power_spectrum(windows_of(white(10)), 1.5)
    assert power == pytest.approx(np.full(7, 1 / 7), rel=0.1)
    assert frequencies[-1] == pytest.approx(1 / (2 * 1.5))
    assert noise.mean_frequency(frequencies, power) == pytest.approx(frequencies.mean(), rel=0.05)


@pytest.mark.parametrize("blur_mm", [1.5, 2.5])
def test_blurred_noise_has_the_mean_frequency_of_the_squared_gaussian(blur_mm: float) -> None:
    blurred = ndimage.gaussian_filter(white(10), (0, blur_mm / 1.5, blur_mm / 1.5))
    frequencies, power = noise.power_spectrum(windows_of(blurred), 1.5)
    expected = np.exp(-((2 * np.pi * blur_mm * frequencies) ** 2))
    assert noise.mean_frequency(frequencies, power) == pytest.approx(
        noise.mean_frequency(frequencies, expected), rel=0.15
    )


def test_overlapping_slices_correlate_as_much_as_they_share() -> None:
    image = white(10, (24, 64, 64))
    corners = np.array([(z, 16, 16) for z in range(4, 20)])
    thick = ndimage.uniform_filter1d(image, 3, axis=0)
    assert noise.slice_correlation(image, corners) == pytest.approx(0, abs=0.05)
    assert noise.slice_correlation(thick, corners) == pytest.approx(2 / 3, abs=0.05)


def test_the_most_even_windows_are_found_inside_the_mask() -> None:
    image, mask = white(20), np.zeros((12, 128, 128), bool)
    image[:, 64:] *= 0.2
    mask[2:10, 16:112, 16:112] = True
    corners = noise.homogeneous_corners(image, mask)
    assert len(corners) >= 8
    assert (corners[:, 1] >= 64).all() and (corners[:, 0] >= 2).all()
    assert all(mask[z, y : y + 16, x : x + 16].all() for z, y, x in corners)


# edges


def ball_ct(blur_mm: float, spacing: float, noise_hu: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    axes = [np.arange(round(70 / spacing)) * spacing - 35] * 3
    mask = sum(a**2 for a in np.meshgrid(*axes, indexing="ij")) < 22**2
    hu = ndimage.gaussian_filter(np.where(mask, 150.0, -100.0), blur_mm / spacing)
    return hu + white(noise_hu, mask.shape), mask


@pytest.mark.parametrize("blur_mm", [1.0, 1.5, 2.0])
def test_an_edge_blurred_by_a_gaussian_rises_over_2_56_sigma(blur_mm: float) -> None:
    hu, mask = ball_ct(blur_mm, 0.7)
    profiles = edge_profiles(hu, mask, (0.7, 0.7, 0.7))
    assert rise_distance(profiles, (-140, -40), 60) == pytest.approx(2.56 * blur_mm, rel=0.12)


def test_an_edge_beside_the_mask_and_under_noise_is_as_wide() -> None:
    hu, mask = ball_ct(1.5, 0.7, noise_hu=8)
    beside = ndimage.binary_erosion(mask, iterations=2)
    found = rise_distance(edge_profiles(hu, beside, (0.7, 0.7, 0.7)), (-140, -40), 60)
    assert found == pytest.approx(2.56 * 1.5, rel=0.2)


def test_an_edge_to_something_else_than_asked_is_none() -> None:
    hu, mask = ball_ct(1.5, 1.0)
    assert np.isnan(rise_distance(edge_profiles(hu, mask, (1.0, 1.0, 1.0)), (-1100, -900), 60))


def test_a_ramp_has_its_gradient_in_hu_per_mm() -> None:
    hu = np.arange(20.0)[:, None, None] * 15 + np.arange(20.0)[None, None, :] * 8 + np.zeros((20, 20, 20))
    assert gradient_magnitude(hu, (3.0, 1.0, 2.0)) == pytest.approx(np.hypot(5, 4))
    assert gradient_magnitude(hu, (3.0, 1.0, 2.0), in_plane=True) == pytest.approx(4)


# tubes


def cylinder(radius: float, tilt: float = 0.0, size: tuple[int, int, int] = (60, 60, 60)) -> np.ndarray:
    z, y, x = np.ogrid[: size[0], : size[1], : size[2]]
    return (
        np.hypot(y - size[1] / 2 + 0.2, (x - size[2] / 2 - 0.3 - tilt * (z - size[0] / 2)) * np.cos(np.arctan(tilt)))
        < radius
    )


@pytest.mark.parametrize("diameter_mm", [10.0, 18.0, 26.0])
def test_a_cylinder_s_slices_give_its_calibre(diameter_mm: float) -> None:
    mask = cylinder(diameter_mm / 2 / 0.8)
    assert slice_calibres(mask, (3.0, 0.8, 0.8)) == pytest.approx(np.full(60, diameter_mm), rel=0.02)


def test_a_branch_does_not_widen_the_slices() -> None:
    mask = cylinder(9) & (np.arange(60) < 50)[:, None, None]
    mask[10:20, 2:8, 2:8] = True
    assert slice_calibres(mask, (1.0, 1.0, 1.0)) == pytest.approx(np.full(50, 18.0), rel=0.03)


@pytest.mark.parametrize("tilt", [0.0, 0.5])
@pytest.mark.parametrize("diameter_mm", [4.0, 6.0, 10.0])
def test_a_thin_tube_has_its_diameter_and_length(diameter_mm: float, tilt: float) -> None:
    mask = cylinder(diameter_mm / 2 / 1.5, tilt)
    points = center_points(mask)
    inner = (points[:, 0] > 10) & (points[:, 0] < 50)
    assert tube_diameter(mask, points, inner, 1.5) == pytest.approx(diameter_mm, rel=0.12)
    # A skeleton may end up to a radius before the tube does.
    length = 90 * np.hypot(1, tilt)
    assert length - 1.3 * diameter_mm < center_line_length(mask, 1.5) < 1.03 * length


def test_a_trunk_is_told_from_its_branch() -> None:
    tree = cylinder(8)
    tree[28:31, 28:31, 30:] = True
    branch, trunk = without_trunk(tree, 10.0, 1.0)
    assert not branch[:, :, :30].any() and branch[29, 29, 45:].all()
    assert trunk[29, 30, 30] and not trunk[:, :, 45:].any()


# kidneys


@pytest.fixture
def two_kidneys() -> np.ndarray:
    z, y, x = np.ogrid[:80, :60, :120]
    labels = np.zeros((80, 60, 120), np.uint8)
    labels[((z - 35) / 25) ** 2 + ((y - 30) / 12) ** 2 + ((x - 30) / 12) ** 2 < 1] = 1
    labels[((z - 45) / 25) ** 2 + ((y - 30) / 12) ** 2 + ((x - 90) / 12) ** 2 < 1] = 1
    labels[(z - 45) ** 2 + (y - 30) ** 2 + (x - 98) ** 2 < 36] = 2
    return labels


def test_kidneys_have_sides_volumes_lesions_and_levels(two_kidneys: np.ndarray) -> None:
    found = kidney_shapes(two_kidneys, (2.0, 2.0, 2.0))
    ellipsoid = 4 / 3 * np.pi * 25 * 12 * 12 * 8 / 1000
    assert found["kidney volume"][0] == pytest.approx(ellipsoid, rel=0.02)
    assert found["kidneys with tumor"] == [0.0, 1.0] and found["kidneys with cyst"] == [0.0, 0.0]
    assert found["tumor diameter"] == pytest.approx([24], rel=0.04)
    assert found["left kidney higher by"] == pytest.approx([20], abs=1)
    assert found["distance between kidneys"] == pytest.approx([120], abs=2)


def test_a_single_kidney_is_on_the_side_of_its_half(two_kidneys: np.ndarray) -> None:
    two_kidneys[:, :, :60] = 0
    assert list(kidneys_by_side(two_kidneys, (2.0,) * 3)) == ["left"]
    assert kidney_shapes(two_kidneys, (2.0,) * 3)["left kidney higher by"] == []


def test_the_sphere_of_four_thirds_pi_millilitres_is_20_mm_wide() -> None:
    assert sphere_diameter(np.array([4 / 3 * np.pi])) == pytest.approx(20)


# a drawn patient


def phantom(seed: int, name: str = "made", shift: float = 0.0, noise_factor: float = 1.0) -> CtScan:
    """An elliptic body with skin, fat, muscle, a spine with canal, kidneys, aorta and cava; noise of about 10 HU."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[:30, :110, :150]
    wide, grow = rng.normal(1, 0.03), rng.normal(1, 0.03)
    shell = np.hypot((y - 55) / (42 * wide), (x - 75) / (62 * wide)) + 0 * z
    hu = np.full(shell.shape, -1000.0)
    for limit, value in ((1.0, 20.0), (0.97, -105.0), (0.75, 55.0), (0.55, -100.0)):
        hu[shell < limit] = value + rng.normal(0, 3)
    hu[(np.abs(x - 75) < 24) & (np.abs(y - 76) < 8) & (shell < 0.9)] = 55 + rng.normal(0, 3)
    hu[(np.hypot(y - 57, x - 75) < 9) & (z >= 0)] = 180
    hu[(np.abs(x - 75) < 10) & (np.abs(y - 70) < 10) & (z >= 0)] = 400
    hu[(np.hypot(y - 70, x - 75) < 6) & (z >= 0)] = 20
    labels = np.zeros(hu.shape, np.uint8)
    for middle, label in ((50, 1), (100, 1)):
        labels[((z - 15) / 12) ** 2 + ((y - 58) / (10 * grow)) ** 2 + ((x - middle) / (9 * grow)) ** 2 < 1] = label
    labels[(np.hypot(y - 41, x - 80) < 4.5 * grow) & (z >= 0)] = 3
    labels[(np.hypot(y - 41, x - 67) < 5 * grow) & (z >= 0)] = 4
    for label, value in ((1, 170), (3, 150), (4, 130)):
        hu[labels == label] = value + rng.normal(0, 5)
    hu = ndimage.gaussian_filter(hu, (0.2, 0.5, 0.5)) + shift
    hu += noise_factor * rng.normal(10, 0.7) * rng.normal(0, 1, hu.shape)
    return CtScan(name, "portal", np.round(hu.clip(-1024, 3000)).astype(np.int16), (3.0, 1.5, 1.5), labels)


@pytest.fixture(scope="module")
def made() -> list[ScanMeasures]:
    return [measure(phantom(seed)) for seed in range(4)]


def failing(rows: list[Row]) -> set[str]:
    return {row.measure for row in rows if row.ok is False}


def test_a_phantom_is_measured_as_it_was_drawn(made: list[ScanMeasures]) -> None:
    values = made[0].values
    assert values["fat HU: median"] == pytest.approx(-105, abs=10)
    assert values["muscle HU: median"] == pytest.approx(55, abs=10)
    assert values["kidney HU: median"] == pytest.approx(170, abs=15)
    assert values["vertebra HU: median"] == pytest.approx(180, abs=10)
    assert values["air HU: median"] == pytest.approx(-1000, abs=5)
    assert values["noise std: fat"] == pytest.approx(10, rel=0.4)
    assert values["aorta calibre"] == pytest.approx(13.5, rel=0.12)
    assert values["kidney centre to spine"] == pytest.approx(37.5, rel=0.08)
    assert "lung HU: median" not in values


def test_identical_scans_pass_every_judged_row(made: list[ScanMeasures]) -> None:
    rows = compare(made[:2], made)
    assert failing(rows) == set()
    assert sum(row.ok is True for row in rows) > 30


def test_a_further_scan_of_the_same_kind_fails_few_rows(made: list[ScanMeasures]) -> None:
    """One value in ten lies outside a 90 % range by chance."""
    rows = compare([measure(phantom(77, "other"))], made)
    assert len(failing(rows)) <= 0.2 * sum(row.ok is not None for row in rows)


def test_hu_60_too_high_fail_in_every_tissue(made: list[ScanMeasures]) -> None:
    failed = failing(compare([measure(phantom(3, "bright", shift=60))], made))
    assert {
        "fat HU: median",
        "kidney HU: median, portal",
        "artery HU: median, portal",
        "vein HU: median, portal",
    } <= failed
    assert not {"kidney HU: form about the median", "noise spectrum: mean frequency"} & failed


def test_noise_three_times_as_strong_fails(made: list[ScanMeasures]) -> None:
    failed = failing(compare([measure(phantom(3, "noisy", noise_factor=3))], made))
    assert {"noise std: fat", "fat HU: 10-90 % range", "kidney HU: form about the median"} <= failed
    assert "gradient, 2 mm grid: 50 %" in failed
    assert "vein HU: median, portal" not in failed


def test_scans_of_any_orientation_are_turned_upright() -> None:
    scan = phantom(1)
    affine = np.diag([-1.5, -1.5, 3.0, 1.0])
    turned = upright_scan(
        "a", "portal", Volume(scan.hu[:, ::-1, ::-1].copy(), affine), scan.labels[:, ::-1, ::-1].copy()
    )
    assert turned.spacing == (3.0, 1.5, 1.5)
    assert np.array_equal(turned.hu, scan.hu) and np.array_equal(turned.labels, scan.labels)


def test_the_common_grid_keeps_labels_on_their_hu() -> None:
    scan = phantom(1)
    kidney = regions.eroded(scan.common_labels == 1, (2.0, 2.0, 2.0), 2.0)
    assert kidney.sum() * 8 > 5000
    assert scan.common[kidney].mean() == pytest.approx(170, abs=15)


def test_table_and_cushion_are_not_the_body() -> None:
    hu = np.full((10, 80, 80), -1000.0)
    hu[:, 20:50, 20:60] = 40
    hu[:, 60:62] = 100
    body = regions.body_mask(hu, 2.0)
    assert body[:, 22:48, 22:58].all() and not body[:, 58:].any()


# verdicts


def test_the_prediction_interval_holds_its_share_of_further_values() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(1500):
        low, high = prediction_interval(rng.normal(3, 2, 6), 0.9)
        held += low <= rng.normal(3, 2) <= high
    assert held / 1500 == pytest.approx(0.9, abs=0.025)


def test_three_made_scans_are_needed_to_judge() -> None:
    assert value_row("", "m", "", {"a": 1.0}, [1.0, 1.1]).ok is None
    assert value_row("", "m", "", {}, [1.0, 1.1, 0.9]).ok is None
    assert value_row("", "m", "", {"a": np.nan}, [1.0, 1.1, 0.9]).ok is None


def test_a_distribution_half_as_wide_again_is_at_the_tolerance() -> None:
    rng = np.random.default_rng(1)
    real = [rng.normal(0, 10, 8000)]
    assert distribution_row("", "m", "", real, [rng.normal(50, 13, 8000)] * 3, centered=True).ok
    assert not distribution_row("", "m", "", real, [rng.normal(50, 17, 8000)] * 3, centered=True).ok
    assert not distribution_row("", "m", "", real, [rng.normal(50, 10, 8000)] * 3, centered=False).ok


def test_a_published_range_takes_its_own_people_and_no_others() -> None:
    reference = Reference.of_mean(20.0, 2.0, "a paper")
    people = np.random.default_rng(2).normal(20, 2, 200)
    assert reference_row("", "m", "mm", reference, people).ok
    assert not reference_row("", "m", "mm", reference, people + 5).ok
    assert not reference_row("", "m", "mm", reference, np.concatenate([people - 8, people + 8])).ok


def test_a_share_is_judged_by_its_count() -> None:
    assert share_row("", "m", 0.5, "a", [1.0, 0.0, 1.0, 0.0]).ok
    assert not share_row("", "m", 0.05, "a", [1.0] * 20).ok


def test_the_table_says_which_rows_fail() -> None:
    rows = [Row("HU", "fat", "HU", "1", "2", "3", True), Row("HU", "bone", "", "1", "2", "3", False)]
    text = markdown(rows)
    assert text.splitlines()[2] == "| HU | fat, HU | 1 | 2 | 3 | yes |"
    assert "**NO**" in text.splitlines()[3]
