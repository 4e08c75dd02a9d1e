"""Cases resampled and stored: labels mapped, offsets taken off, axes put right, damage repaired."""

from __future__ import annotations

import sys
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import tiny_scans
from tiny_scans import CORNERS, SHAPE, SIDE, SPACING_MM, tiny_hu, tiny_labels

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.inference.grid import Grid
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.training.cases import StoredCase, store_case, stored_cases
from KidneyParsingLib.training.data.case import Case
from KidneyParsingLib.training.data.label_grid import labels_on_grid
from KidneyParsingLib.training.data.layouts import find_cases
from KidneyParsingLib.training.data.points import candidate_points

# The scan's own grid: nothing is interpolated, so that arrays can be compared voxel by voxel.
SAME_GRID = replace(config("ba_net", "tiny"), spacing_mm=(SPACING_MM,) * 3)


@pytest.fixture
def a_case(tmp_path: Path) -> Case:
    return find_cases("ours", tiny_scans.ours(tmp_path / "data"))[0]


def test_a_scan_on_its_own_grid_is_stored_as_it_is(a_case: Case, tmp_path: Path) -> None:
    stored = store_case(a_case, SAME_GRID, tmp_path)
    assert stored.name == "made_00001" and stored.spacing == (SPACING_MM,) * 3
    assert stored.hu.dtype == np.int16 and np.array_equal(stored.hu, tiny_hu())
    assert stored.labels.dtype == np.uint8 and np.array_equal(stored.labels, tiny_labels())
    assert stored.voxels == (np.prod(SHAPE) - 6 * SIDE**3, *[SIDE**3] * 6)


@pytest.mark.parametrize("stored_as", [0, 1024])
def test_kipa_s_values_become_hu_and_its_labels_ours(stored_as: int, tmp_path: Path) -> None:
    """KiPA22: 1 vein, 2 kidney, 3 artery, 4 tumor; ours: 1 kidney, 2 tumor, 3 artery, 4 vein."""
    case = find_cases("kipa22", tiny_scans.kipa(tmp_path, stored_as))[0]
    stored = store_case(case, SAME_GRID, tmp_path / "store")
    assert np.array_equal(stored.hu, tiny_hu())
    at_corner = {value: int(stored.labels[CORNERS[value]]) for value in (1, 2, 3, 4)}
    assert at_corner == {1: 4, 2: 1, 3: 3, 4: 2}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(False, False, True), (True, True, False)])
def test_any_order_and_direction_of_axes_gives_the_same_arrays(order: tuple, flips: tuple, tmp_path: Path) -> None:
    """KiTS19's files have x and z exchanged and flipped; the affine tells."""
    for name, array in (("image", tiny_hu()), ("labels", tiny_labels())):
        image = sitk.Flip(sitk.PermuteAxes(tiny_scans.image_of(array), order), flips, False)
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    identity = {value: value for value in range(1, 7)}
    case = Case("turned", tmp_path / "image.nii.gz", tmp_path / "labels.nii.gz", identity)
    stored = store_case(case, SAME_GRID, tmp_path / "store")
    assert np.abs(stored.hu.astype(int) - tiny_hu()).max() <= 1
    assert np.array_equal(stored.labels, tiny_labels())


def test_resizing_gives_exactly_the_wanted_size(a_case: Case, tmp_path: Path) -> None:
    resized = replace(SAME_GRID, resize=(0, 10, 17), spacing_mm=(4.0, 9.0, 9.0))
    stored = store_case(a_case, resized, tmp_path)
    assert stored.hu.shape == stored.labels.shape == (12, 10, 17)
    assert stored.spacing == pytest.approx((4.0, SHAPE[1] * SPACING_MM / 10, SHAPE[2] * SPACING_MM / 17))


def test_labels_on_another_grid_are_refused(a_case: Case, tmp_path: Path) -> None:
    image = sitk.ReadImage(str(a_case.labels))
    image.SetOrigin((0.0, 0.0, 0.0))
    sitk.WriteImage(image, str(a_case.labels))
    with pytest.raises(InputError, match="different grids"):
        store_case(a_case, SAME_GRID, tmp_path)
    tiny_scans.write(tiny_labels()[1:], a_case.labels)
    with pytest.raises(InputError, match="different grids"):
        store_case(a_case, SAME_GRID, tmp_path)


def test_a_label_that_the_layout_has_not_is_named(tmp_path: Path) -> None:
    """A KiTS23 folder read as KiTS19 has cysts, 3."""
    folder = tiny_scans.kits(tmp_path, "segmentation.nii.gz", (1, 2, 3), (0,))
    with pytest.raises(InputError, match="holds the label 3"):
        stored_cases(find_cases("kits19", folder), SAME_GRID, tmp_path / "store")


def test_a_damaged_scan_is_named(a_case: Case, tmp_path: Path) -> None:
    a_case.image.write_bytes(a_case.image.read_bytes()[:500])
    with pytest.raises(InputError, match="made_00001_0000"):
        store_case(a_case, SAME_GRID, tmp_path)


def test_a_folder_that_cannot_be_written_gives_one_sentence(a_case: Case, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        store_case(a_case, SAME_GRID, tmp_path / "file")


class Shown(list):
    """What `show` was told."""

    def __call__(self, text: str) -> None:
        self.append(text)


def test_what_is_stored_is_not_made_again(a_case: Case, tmp_path: Path) -> None:
    shown = Shown()
    first = stored_cases([a_case], SAME_GRID, tmp_path, shown)
    again = stored_cases([a_case], replace(SAME_GRID, network="plain_unet", mean_hu=1.0), tmp_path, shown)
    assert again == first and shown == ["Storing scan 1 of 1: made_00001"]


@pytest.mark.parametrize("change", [{"spacing_mm": (2.0, 2.0, 3.0)}, {"resize": (24, 0, 0)}, {"median": True}])
def test_another_grid_is_stored_beside_it(a_case: Case, change: dict, tmp_path: Path) -> None:
    shown = Shown()
    first = stored_cases([a_case], SAME_GRID, tmp_path, shown)
    other = stored_cases([a_case], replace(SAME_GRID, **change), tmp_path, shown)
    assert len(shown) == 2 and first[0].folder != other[0].folder
    assert stored_cases([a_case], SAME_GRID, tmp_path, shown) == first and len(shown) == 2


def test_cases_of_the_same_name_in_two_data_sets_do_not_meet(tmp_path: Path) -> None:
    a, b = (find_cases("ours", tiny_scans.ours(tmp_path / name))[0] for name in ("a", "b"))
    tiny_scans.write(tiny_labels((1,)), b.labels)
    first, second = stored_cases([a, b], SAME_GRID, tmp_path / "store")
    assert first.voxels[2] == SIDE**3 and second.voxels[2] == 0


@pytest.mark.parametrize("name", ["hu.npy", "labels.npy", "points.npz", "case.json"])
@pytest.mark.parametrize("damage", ["cut", "garbled", "gone"])
def test_a_damaged_copy_is_made_again(a_case: Case, name: str, damage: str, tmp_path: Path) -> None:
    first = stored_cases([a_case], SAME_GRID, tmp_path)[0]
    path = first.folder / name
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else bytes(60) + content[60:])
    again = stored_cases([a_case], SAME_GRID, tmp_path)[0]
    assert again == first and path.read_bytes() == content
    assert sorted(p.name for p in first.folder.iterdir()) == ["case.json", "hu.npy", "labels.npy", "points.npz"]


def test_changed_labels_are_stored_again(a_case: Case, tmp_path: Path) -> None:
    stored_cases([a_case], SAME_GRID, tmp_path)
    tiny_scans.write(tiny_labels((1, 2)), a_case.labels)
    assert stored_cases([a_case], SAME_GRID, tmp_path)[0].voxels[3:] == (0, 0, 0, 0)


def test_a_stop_half_way_leaves_no_copy_that_counts(
    a_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(np, "savez", stop)
        store_case(a_case, SAME_GRID, tmp_path)
    shown = Shown()
    assert np.array_equal(stored_cases([a_case], SAME_GRID, tmp_path, shown)[0].labels, tiny_labels())
    assert len(shown) == 1


def test_notes_of_the_data_set_are_shown_once(tmp_path: Path) -> None:
    folder = tiny_scans.nnunet(tmp_path, {"kidney": 1, "tumor": 2, "spleen": 3})
    shown = Shown()
    stored = stored_cases(find_cases("nnunet", folder), SAME_GRID, tmp_path / "store", shown)[0]
    assert shown[0].startswith("The label 'spleen'") and len(shown) == 2
    assert stored.voxels[1:] == (SIDE**3, SIDE**3, 0, 0, 0, 0)


def test_a_stored_case_goes_to_worker_processes_without_its_arrays(a_case: Case, tmp_path: Path) -> None:
    stored = store_case(a_case, SAME_GRID, tmp_path)
    assert stored.hu.flags.writeable is False
    assert len(ForkingPickler.dumps(stored)) < 1000


def test_points_lie_in_their_structure(a_case: Case, tmp_path: Path) -> None:
    stored = store_case(a_case, SAME_GRID, tmp_path)
    for label in range(1, 7):
        assert len(stored.points(label)) == SIDE**3
        for points in (stored.points(label), stored.centerline(label)):
            assert (stored.labels[tuple(points.T)] == label).all() and len(points)


def test_many_points_are_drawn_evenly_and_always_the_same() -> None:
    labels = np.ones((30, 30, 30), np.uint8)
    points = candidate_points(labels)["points_1"]
    assert len(points) == 5000 == len(np.unique(points, axis=0))
    assert np.abs(points.mean(0) - 14.5).max() < 0.5
    assert np.array_equal(points, candidate_points(labels)["points_1"])


def test_the_centreline_of_a_tube_is_its_axis() -> None:
    pytest.importorskip("skimage")
    labels = np.zeros((40, 15, 15), np.uint8)
    y, x = np.mgrid[:15, :15]
    labels[:, (y - 7) ** 2 + (x - 7) ** 2 <= 9] = 3
    line = candidate_points(labels)["centerline_3"]
    assert 30 <= len(line) <= 45 and np.abs(line[:, 1:] - 7).max() <= 1


def test_without_scikit_image_the_centreline_is_the_whole_tube(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.morphology", None)
    points = candidate_points(tiny_labels())
    assert np.array_equal(points["centerline_3"], points["points_3"])


def ball(shape: tuple[int, ...], radius: float) -> np.ndarray:
    index = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    return (index**2).sum(0) <= radius**2


def test_a_ball_keeps_its_volume_on_a_coarser_grid() -> None:
    """Radius 15 mm: 14.1 ml."""
    labels = ball((40, 40, 40), 15).astype(np.uint8)
    coarse = labels_on_grid(labels, np.eye(4), Grid(np.full(3, 0.7), (3.0, 2.5, 2.0), (13, 16, 20)))
    assert coarse.sum() * 15.0 == pytest.approx(14137, rel=0.03)


def test_a_vessel_thinner_than_a_voxel_keeps_its_volume_in_the_mean() -> None:
    """An oblique tube of 2 mm diameter on a 3 mm grid; averaged over voxels it would fill none by half."""
    z, y, x = np.indices((90, 90, 90))
    tube = ((y - 0.62 * z - 14.3) ** 2 + (x - 0.41 * z - 22.1) ** 2 <= 1.2**2).astype(np.uint8) * 3
    coarse = labels_on_grid(tube, np.eye(4), Grid(np.full(3, 1.0), (3.0, 3.0, 3.0), (30, 30, 30)))
    assert (coarse == 3).sum() * 27 == pytest.approx((tube == 3).sum(), rel=0.25)


def test_structures_that_meet_are_not_parted_by_background() -> None:
    """In the middle of four voxel columns 1, 2 / 0, 2 background and kidney have 1/4 each, tumor 2/4. Of 1, 2 / 0, 0
    background has 2/4 and so have the structures together, which is enough."""
    middle = Grid(np.array([0.5, 0.5, 0.0]), (1.0, 1.0, 1.0), (2, 1, 1))
    for lower, expected in (((0, 2), 2), ((0, 0), 1)):
        labels = np.tile(np.array([[1, 2], lower], np.uint8), (2, 1, 1))
        assert labels_on_grid(labels, np.eye(4), middle).ravel().tolist() == [expected] * 2


def test_no_labels_at_all_are_background(a_case: Case, tmp_path: Path) -> None:
    tiny_scans.write(tiny_labels(()), a_case.labels)
    stored: StoredCase = store_case(a_case, SAME_GRID, tmp_path)
    assert not stored.labels.any() and not len(stored.points(1))
