"""Parts of a grid that are known on a finer one: where their voxels lie, and what becomes of them on the CT."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from KidneyParsingLib.inference.fine_parts import FinePart, labels_with_parts, suppress_in
from KidneyParsingLib.inference.grid import Grid, bounds, on_grid
from KidneyParsingLib.inference.upsampling import labels_on_volume
from KidneyParsingLib.volumes.volume import Volume

GRID = Grid(np.array([3.0, -7.0, 11.0]), (2.0, 2.0, 2.0), (12, 14, 16))
WINDOW = (slice(2, 8), slice(3, 9), slice(4, 12))
CENTER = GRID.origin + 2.0 * np.array([8, 6, 5])


def scores_of_ball(grid: Grid, radius: float, center: np.ndarray = CENTER) -> np.ndarray:
    """Scores (2, z, y, x) of background and of a ball: its surface where they are equal."""
    z, y, x = np.indices(grid.size)
    places = np.stack([x, y, z], -1) * grid.spacing[::-1] + grid.origin
    inside = radius - np.linalg.norm(places - center, axis=-1)
    return np.stack([0 * inside, inside]).astype(np.float32)


def a_part(radius: float, window: tuple[slice, ...] = WINDOW) -> FinePart:
    part = FinePart.over(GRID, window, 1.0)
    part.scores = scores_of_ball(part.grid, radius).astype(np.float16)
    return part


def a_ct(spacing: tuple[float, ...] = (1.5, 0.7, 0.7), turn: float = 0.0) -> Volume:
    """A CT over the grid, and turned about the x axis."""
    around = bounds(Volume(np.zeros(GRID.size, np.int16), GRID.affine))
    grid = Grid.over(around, spacing)
    affine = grid.affine
    c, s = np.cos(turn), np.sin(turn)
    affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ affine[:3, :3]
    return Volume(np.zeros(grid.size, np.int16), affine)


def whole(labels: np.ndarray, window: tuple[slice, ...], volume: Volume) -> np.ndarray:
    everything = np.zeros(volume.array.shape, np.uint8)
    everything[window] = labels
    return everything


def test_a_part_covers_what_its_window_covers() -> None:
    part = FinePart.over(GRID, WINDOW, 1.0)
    ours, theirs = (bounds(Volume(np.zeros(g.size), g.affine)) for g in (part.grid, GRID.part(WINDOW)))
    assert part.step == 2 and part.grid.size == (12, 12, 16)
    assert ours.low == pytest.approx(theirs.low) and ours.high == pytest.approx(theirs.high)


def test_values_are_interpolated_as_simpleitk_does() -> None:
    part = FinePart.over(GRID, WINDOW, 1.0)
    values = np.random.default_rng(0).normal(size=(3, 6, 6, 8)).astype(np.float32)
    ours = np.concatenate([part.interpolated(values, slice(start, start + 4)) for start in (0, 4, 8)], 1)
    theirs = np.stack([on_grid(one, GRID.part(WINDOW), part.grid) for one in values])
    assert ours.shape == (3, 12, 12, 16) and ours == pytest.approx(theirs, abs=1e-5)


def test_means_are_those_of_blocks() -> None:
    values = np.random.default_rng(0).normal(size=(2, 4, 6, 8))
    ours = FinePart(WINDOW, GRID, 2).block_means(values)
    theirs = [sitk.GetArrayFromImage(sitk.BinShrink(sitk.GetImageFromArray(one), (2, 2, 2))) for one in values]
    assert ours == pytest.approx(np.stack(theirs))


@pytest.mark.parametrize("turn", [0.0, 0.1], ids=["upright", "oblique"])
def test_within_a_part_its_own_labels_count_and_beyond_it_the_grid_s(turn: float) -> None:
    """The grid's ball has a radius of 11 mm and is cut by the part's window, in which a ball of 5 mm lies."""
    scores, part, ct = scores_of_ball(GRID, 11.0), a_part(5.0), a_ct(turn=turn)
    found = whole(*labels_with_parts(scores, GRID, [part], ct), ct)
    coarse, fine = (whole(*labels_on_volume(s, g, ct), ct) for s, g in ((scores, GRID), (part.scores, part.grid)))
    ones = np.ones((1, *part.grid.size), np.float32)
    inside = whole(*labels_on_volume(np.concatenate([0 * ones, ones]), part.grid, ct), ct) > 0
    assert inside.any() and (coarse[inside] != fine[inside]).any() and (coarse[~inside] > 0).any()
    assert np.array_equal(found, np.where(inside, fine, coarse))


def test_a_small_ball_is_truer_on_the_finer_grid() -> None:
    ct = a_ct((0.5, 0.5, 0.5))
    truth = scores_of_ball(Grid.over(bounds(ct), (0.5, 0.5, 0.5)), 3.0)[1] > 0
    part, coarse = FinePart.over(GRID, WINDOW, 1.0), scores_of_ball(GRID, 3.0)
    part.scores = scores_of_ball(part.grid, 3.0).astype(np.float16)
    errors = [
        (whole(*labels_with_parts(coarse, GRID, parts, ct), ct) != truth).sum() / truth.sum() for parts in ([], [part])
    ]
    assert errors[1] < 0.5 * errors[0]


def test_of_two_parts_that_overlap_the_first_counts() -> None:
    ct, scores = a_ct(), scores_of_ball(GRID, 11.0)
    parts = [a_part(5.0), a_part(9.0)]
    alone = labels_with_parts(scores, GRID, parts[:1], ct)
    both = labels_with_parts(scores, GRID, parts, ct)
    assert np.array_equal(whole(*both, ct), whole(*alone, ct))


def test_what_a_part_alone_sees_is_labelled_too() -> None:
    ct = a_ct()
    nothing = scores_of_ball(GRID, -1.0)
    labels, window = labels_with_parts(nothing, GRID, [a_part(5.0)], ct)
    ml = whole(labels, window, ct).sum() * 1.5 * 0.7 * 0.7
    assert ml == pytest.approx(4 / 3 * np.pi * 5**3, rel=0.05)
    assert labels_with_parts(nothing, GRID, [], ct)[0].size == 0


def test_what_goes_on_the_grid_goes_in_its_parts_with_its_surface_but_not_its_neighbour() -> None:
    """Of a ball of 7 mm the half below its middle goes: what is kept stays to the last fine voxel."""
    part = a_part(7.0)
    before = part.scores[1] > part.scores[0]
    found = scores_of_ball(GRID, 7.0)[1] > 0
    goes = found & (np.arange(GRID.size[0]) < 5)[:, None, None]
    suppress_in([part], goes, found & ~goes, GRID)
    after = part.scores[1] > part.scores[0]
    kept = part.on_finer((found & ~goes)[WINDOW])
    assert np.array_equal(after & kept, before & kept) and (after & kept).any()
    assert not after[: 2 * (5 - WINDOW[0].start)].any()


def test_where_nothing_was_seen_the_background_is_sure() -> None:
    part = a_part(20.0)
    mask = np.zeros((6, 6, 8), bool)
    mask[:2] = True
    part.hide(mask)
    assert (part.scores.argmax(0) == 0)[:4].all() and (part.scores.argmax(0) == 1)[4:].all()
