"""Trees of vessels: paths with calibres that follow Murray's law, kept out of bone, and painted into masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..fields import paint_tube, spline_path


@dataclass(frozen=True)
class Tube:
    """A piece of something hollow: `path` (n, 3) voxels (z, y, x) and `radii` (n,) mm."""

    path: np.ndarray
    radii: np.ndarray


@dataclass(frozen=True)
class Vessel(Tube):
    """One unbranched piece of a tree with the index of its `parent` (-1: none).

    `radius` (mm) is the one that counts for Murray's law, before local narrowing or tapering to an end.
    """

    radius: float
    parent: int = -1


def murray_radius(radii: np.ndarray) -> float:
    """Radius of the vessel that splits into these: r^3 is the sum of theirs (Murray, 10.1073/pnas.12.3.207)."""
    return float(np.cbrt((np.asarray(radii, float) ** 3).sum()))


def straight_radii(path: np.ndarray, radius: float) -> np.ndarray:
    """One radius all along a path."""
    return np.full(len(path), radius)


@dataclass(frozen=True)
class Crown:
    """Where a tree goes after its trunk: `forks` (k, 3), the points where segmental vessels split, and for each the
    ends (n, 3) of its interlobar ones with the points `gates` (n, 3) where these leave the sinus."""

    forks: np.ndarray
    gates: tuple[np.ndarray, ...]
    ends: tuple[np.ndarray, ...]


def grow_crown(
    trunk: Vessel, crown: Crown, split_at: int, spacing: float, rng: np.random.Generator, smallest: float
) -> list[Vessel]:  # fmt: skip
    """The trunk with segmental vessels from its end and interlobar vessels at theirs.

    The last fork is that of the posterior division, which leaves the trunk at the path's point `split_at`; beyond it
    the trunk is the anterior division. Calibres follow from the trunk's by Murray's law, weighted at random. Interlobar
    vessels taper and end where their radius falls below `smallest` (mm).
    """
    weights = [rng.lognormal(0, 0.4, len(ends)) for ends in crown.ends]
    unit = trunk.radius / np.cbrt(sum(w.sum() for w in weights))
    leaves = [unit * np.cbrt(w) for w in weights]
    vessels = _divided(trunk, split_at, murray_radius(np.concatenate(leaves[:-1])))
    for index, (fork, gates, ends) in enumerate(zip(crown.forks, crown.gates, crown.ends, strict=True)):
        parent = 0 if index == len(crown.forks) - 1 else len(_divided(trunk, split_at, 1.0)) - 1
        path = _curved([vessels[parent].path[-1], fork], 1.5 / spacing, rng)
        radius = murray_radius(leaves[index])
        vessels.append(Vessel(path, straight_radii(path, radius), radius, parent))
        stem = len(vessels) - 1
        for gate, end, leaf in zip(gates, ends, leaves[index], strict=True):
            vessels.append(_tapered(_curved([fork, gate, end], 1.0 / spacing, rng), leaf, stem, smallest))
    return vessels


def _divided(trunk: Vessel, split_at: int, anterior: float) -> list[Vessel]:
    """Main trunk and anterior division."""
    split_at = int(np.clip(split_at, 1, len(trunk.path) - 2))
    shape = trunk.radii / trunk.radius
    main = Vessel(trunk.path[: split_at + 1], trunk.radii[: split_at + 1], trunk.radius, trunk.parent)
    return [main, Vessel(trunk.path[split_at:], shape[split_at:] * anterior, anterior, 0)]


def _curved(points: list[np.ndarray], noise: float, rng: np.random.Generator) -> np.ndarray:
    """A path through the points, the first piece bent at random."""
    middle = (points[0] + points[1]) / 2 + rng.normal(0, noise, 3)
    return spline_path([points[0], middle, *points[1:]])


def grow_fan(
    trunk: Vessel, ends: np.ndarray, spacing: float, rng: np.random.Generator, smallest: float
) -> list[Vessel]:  # fmt: skip
    """The trunk with interlobar vessels from its end to the points `ends` (n, 3), by Murray's law."""
    weights = np.cbrt(rng.lognormal(0, 0.4, len(ends)))
    leaves = trunk.radius * weights / murray_radius(weights)
    paths = [_curved([trunk.path[-1], end], 1.0 / spacing, rng) for end in ends]
    return [trunk, *(_tapered(path, leaf, 0, smallest) for path, leaf in zip(paths, leaves, strict=True))]


def _tapered(path: np.ndarray, radius: float, parent: int, smallest: float) -> Vessel:
    radii = radius * np.linspace(1, 0.4, len(path))
    kept = max(2, int((radii >= smallest).sum()))
    return Vessel(path[:kept], radii[:kept], radius, parent)


def grouped(points: np.ndarray, keys: np.ndarray, count: int) -> list[np.ndarray]:
    """Indices of the points cut into up to `count` non-empty groups of like size by ascending key."""
    return [part for part in np.array_split(np.argsort(keys, kind="stable"), count) if len(part)]


def kept_before(path: np.ndarray, front: np.ndarray, radius: float) -> np.ndarray:
    """The path moved to the front where it would lie behind `front`, the (z, x) map of the first row that is taken
    (the spine's); `radius` in voxels. The first point stays."""
    reach = max(1, int(np.ceil(radius)))
    limit = ndimage.minimum_filter(front, size=2 * reach + 1) - radius - 0.7
    moved = path.copy()
    for sigma in (6.0, 2.0):
        moved[:, 1] = np.minimum(moved[:, 1], _looked_up(limit, moved))
        moved[:, 1] = ndimage.gaussian_filter1d(moved[:, 1], sigma, mode="nearest")
    moved[:, 1] = np.minimum(moved[:, 1], _looked_up(limit, moved))
    moved[0] = path[0]
    return connected(moved)


def _looked_up(plane: np.ndarray, path: np.ndarray) -> np.ndarray:
    index = np.round(path[:, (0, 2)]).astype(int).clip(0, np.array(plane.shape) - 1)
    return plane[tuple(index.T)]


def kept_out_of(path: np.ndarray, solid: np.ndarray, corner: np.ndarray, radius: float) -> np.ndarray:
    """The path led around `solid` (a mask whose window starts at `corner`) on the side where it lies, `radius` voxels
    away; its ends stay where they are."""
    hit = _inside(path, solid, corner)
    if not hit.any():
        return path
    away = _sideways(path, path[hit].mean(0) - (np.argwhere(solid).mean(0) + corner))
    amount = np.zeros(len(path))
    for _ in range(max(solid.shape)):
        amount[hit] += 1
        hit = _inside(path + amount[:, None] * away, solid, corner)
        if not hit.any():
            break
    amount[amount > 0] += radius
    amount = ndimage.gaussian_filter1d(ndimage.maximum_filter1d(amount, 13), 3.0, mode="nearest")
    moved = path + amount[:, None] * away
    moved[0], moved[-1] = path[0], path[-1]
    return connected(moved)


def _sideways(path: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Unit vector of `direction` without its part along the path; to the front where nothing is left of it."""
    along = path[-1] - path[0]
    along /= max(np.linalg.norm(along), 1e-6)
    for candidate in (direction, np.array([0.0, -1, 0]), np.array([1.0, 0, 0])):
        across = candidate - (candidate @ along) * along
        if np.linalg.norm(across) > 0.5:
            return across / np.linalg.norm(across)
    return np.array([0.0, -1, 0])


def _inside(path: np.ndarray, solid: np.ndarray, corner: np.ndarray) -> np.ndarray:
    index = np.round(path - corner).astype(int)
    valid = ((index >= 0) & (index < solid.shape)).all(1)
    result = np.zeros(len(path), bool)
    result[valid] = solid[tuple(index[valid].T)]
    return result


def connected(path: np.ndarray, step: float = 0.5) -> np.ndarray:
    """The path with points at most `step` voxels apart along straight lines between its own."""
    gaps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    lengths = np.r_[0, np.cumsum(gaps)]
    places = np.union1d(lengths, np.arange(0, lengths[-1], step))
    return np.stack([np.interp(places, lengths, path[:, axis]) for axis in range(3)], 1)


def painted(shape: tuple[int, ...], tubes: Sequence[Tube], spacing: float) -> np.ndarray:
    """Boolean mask (z, y, x) of all tubes."""
    mask = np.zeros(shape, bool)
    for tube in tubes:
        paint_tube(mask, tube.path, tube.radii / spacing)
    return mask
