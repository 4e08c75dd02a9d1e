"""Random fields and masks in mm on isotropic grids: smooth noise, deformations, morphology by distance, tubes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from scipy.interpolate import make_interp_spline

_SMALL_BALL = 3.0
_AT_ONCE = 400


def smooth_noise(shape: tuple[int, ...], cell: float, rng: np.random.Generator) -> np.ndarray:
    """Float32 field (z, y, x) of about zero mean and unit variance whose bumps are `cell` voxels wide."""
    coarse = [max(2, int(np.ceil(n / cell)) + 1) for n in shape]
    grid = torch.from_numpy(rng.standard_normal(coarse).astype(np.float32))[None, None]
    field = F.interpolate(grid, size=shape, mode="trilinear", align_corners=True)[0, 0].numpy()
    return field / max(float(field.std()), 1e-6)


def warp_labels(
    labels: np.ndarray,
    matrix: np.ndarray,
    shape: tuple[int, ...],
    amplitude: float,
    cell: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Labels (z, y, x) warped onto a grid of `shape`: centre-to-centre affine plus a smooth random displacement.

    `matrix` (3x3, z-y-x order) maps output voxel offsets from the centre to input ones; `amplitude` (voxels) is the
    standard deviation of the displacement and `cell` (voxels) the width of its bumps. Outside is 0.
    """
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in shape]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    points = offsets @ torch.from_numpy(matrix.T.astype(np.float32))
    for axis in range(3):
        points[..., axis] += torch.from_numpy(smooth_noise(shape, cell, rng) * amplitude)
    half = torch.tensor([max((n - 1) / 2, 0.5) for n in labels.shape])
    grid = (points / half).flip(-1)[None]
    source = torch.from_numpy(labels.astype(np.float32))[None, None]
    return F.grid_sample(source, grid, mode="nearest", align_corners=True)[0, 0].numpy().astype(labels.dtype)


def rotation(degrees: np.ndarray) -> np.ndarray:
    """3x3 rotation by angles about the z, y and x axes, in z-y-x coordinate order."""
    result = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        i, j = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        result = result @ turn
    return result


def dilated(mask: np.ndarray, radius: float) -> np.ndarray:
    """Mask grown by `radius` voxels (Euclidean)."""
    return ndimage.distance_transform_edt(~mask) <= radius


def closed(mask: np.ndarray, radius: float) -> np.ndarray:
    """Morphological closing with a ball of `radius` voxels (Euclidean); beyond the border the mask goes on as it is."""
    margin = int(radius) + 2
    grown = dilated(np.pad(mask, margin, mode="edge"), radius)
    shut = ndimage.distance_transform_edt(grown) > radius
    return shut[tuple(slice(margin, -margin) for _ in range(3))]


def spline_path(points: list[np.ndarray], step: float = 0.5) -> np.ndarray:
    """Points (n, 3) every `step` voxels along a smooth curve through the given control points (z, y, x)."""
    controls = np.asarray(points, float)
    lengths = np.r_[0, np.cumsum(np.linalg.norm(np.diff(controls, axis=0), axis=1) + 1e-6)]
    curve = make_interp_spline(lengths, controls, k=min(3, len(controls) - 1))
    return curve(np.arange(0, lengths[-1] + step, step).clip(max=lengths[-1]))


def paint_tube(mask: np.ndarray, path: np.ndarray, radii: np.ndarray | float) -> None:
    """Sets the voxels of boolean `mask` within `radii` (voxels, one a path point or one for all) of `path`, in place.

    The voxel nearest to every point is set too, so that a tube thinner than a voxel stays connected.
    """
    nearest = np.round(path).astype(int)
    valid = nearest[((nearest >= 0) & (nearest < mask.shape)).all(1)]
    mask[tuple(valid.T)] = True
    radii = np.broadcast_to(np.asarray(radii, float), len(path))
    # Small balls are set many at once, large ones one by one: both are faster so, by ten and by five times.
    thin = np.flatnonzero(radii <= _SMALL_BALL)
    for start in range(0, len(thin), _AT_ONCE):
        part = thin[start : start + _AT_ONCE]
        _set_balls(mask, path[part], nearest[part], radii[part])
    for index in np.flatnonzero(radii > _SMALL_BALL):
        _set_ball(mask, path[index], float(radii[index]))


def _set_ball(mask: np.ndarray, point: np.ndarray, radius: float) -> None:
    low = np.maximum(np.ceil(point - radius).astype(int), 0)
    high = np.minimum(np.floor(point + radius).astype(int) + 1, mask.shape)
    if (high <= low).any():
        return
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    squares = [(np.arange(a, b) - p) ** 2 for a, b, p in zip(low, high, point, strict=True)]
    distance = squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :]
    mask[window] |= distance <= radius**2


def _set_balls(mask: np.ndarray, centers: np.ndarray, nearest: np.ndarray, radii: np.ndarray) -> None:
    reach = int(np.ceil(radii.max() + 0.5))
    index = nearest[:, :, None] + np.arange(-reach, reach + 1)
    squares = (index - centers[:, :, None]) ** 2
    distance = squares[:, 0, :, None, None] + squares[:, 1, None, :, None] + squares[:, 2, None, None, :]
    point, *offsets = np.nonzero(distance <= radii[:, None, None, None] ** 2)
    voxels = np.stack([index[point, axis, offset] for axis, offset in enumerate(offsets)])
    inside = ((voxels >= 0) & (voxels < np.array(mask.shape)[:, None])).all(0)
    mask[tuple(voxels[:, inside])] = True
