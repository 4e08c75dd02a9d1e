"""Where which tissue is, by simple rules on HU that hold for made and real CT alike.

Arrays are (z, y, x), upright, isotropic `spacing` in mm. HU limits are our choice: they lie between the usual ranges of
neighbouring tissues and are applied to smoothed HU, so that they do not cut the noise off that is measured after.
"""

from __future__ import annotations

import cc3d
import numpy as np
from scipy import ndimage

_BODY_HU = -300.0
# Wide, as a scan whose HU are shifted shall be seen to be and not fall out.
_FAT_HU = (-200.0, -20.0)
_MUSCLE_HU = (-20.0, 150.0)
_BONE_HU = 180.0
_GAS_HU = -500.0
_LUNG_ML = 200.0
_GAS_AT_BORDER_MM2 = 2000.0
_CANAL_MM2 = (60.0, 600.0)


def body_mask(hu: np.ndarray, spacing: float) -> np.ndarray:
    """The patient without table, cloth and free arms: largest component above -300 HU after opening by 6 mm in-plane.

    Holes are filled by slice, and so is gas of up to 20 cm^2 that a narrow field of view cuts.
    """
    disk = _ball(6 / spacing)[None].max(1)
    solid = ndimage.binary_opening(np.pad(hu > _BODY_HU, ((0, 0), (4, 4), (4, 4)), mode="edge"), disk)[:, 4:-4, 4:-4]
    if not solid.any():
        return solid
    largest = cc3d.largest_k(solid, k=1, connectivity=6) > 0
    return np.stack([_filled(plane, _GAS_AT_BORDER_MM2 / spacing**2) for plane in largest])


def skin_depth(body: np.ndarray, spacing: float) -> np.ndarray:
    """Distance in mm of body voxels to the air outside in their slice; what the field of view cuts is no skin."""
    return np.stack([_plane_depth(plane) for plane in body]) * spacing


def subcutaneous_fat(smooth: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Fat 4-30 mm below the skin, a voxel away from what is no fat. `smooth` is smoothed HU, `depth` in mm."""
    fat = (smooth > _FAT_HU[0]) & (smooth < _FAT_HU[1]) & (depth > 4) & (depth < 30)
    return ndimage.binary_erosion(fat)


def spinal_canal(smooth: np.ndarray, body: np.ndarray, spacing: float) -> np.ndarray:
    """Centre (y, x) in voxels of the spinal canal in every slice, shape (slices, 2).

    The canal is the hole of 60-600 mm^2 in a slice's bone that is nearest to the middle; slices without one take their
    neighbours' by interpolation, smoothed over 30 mm. NaN throughout if fewer than three slices show it.
    """
    middle = np.median(np.argwhere(body)[:, 2]) if body.any() else 0.0
    found = [_canal_of(plane > _BONE_HU, middle, spacing) for plane in np.where(body, smooth, 0)]
    seen = [z for z, center in enumerate(found) if center is not None]
    if len(seen) < 3:
        return np.full((len(smooth), 2), np.nan)
    centers = ndimage.median_filter(np.array([found[z] for z in seen]), (min(9, len(seen)), 1), mode="nearest")
    lines = [np.interp(np.arange(len(smooth)), seen, column) for column in centers.T]
    return ndimage.gaussian_filter1d(np.stack(lines, 1), 15 / spacing, axis=0)


def muscle_beside_spine(smooth: np.ndarray, body: np.ndarray, canal: np.ndarray, spacing: float) -> np.ndarray:
    """Soft tissue 15-45 mm beside and 0-45 mm behind the canal's centre, opened by 4 mm, largest two components, less a
    voxel all round."""
    y, x = _offsets(smooth.shape, canal, spacing)
    near = (np.abs(x) > 15) & (np.abs(x) < 45) & (y > 0) & (y < 45)
    soft = near & body & (smooth > _MUSCLE_HU[0]) & (smooth < _MUSCLE_HU[1])
    soft = ndimage.binary_opening(soft, _ball(4 / spacing))
    return ndimage.binary_erosion(cc3d.largest_k(soft, k=2, connectivity=6) > 0) if soft.any() else soft


def vertebral_bodies(smooth: np.ndarray, canal: np.ndarray, spacing: float) -> np.ndarray:
    """The column's core, with discs: 16-32 mm before the canal's centre and up to 10 mm beside it."""
    y, x = _offsets(smooth.shape, canal, spacing)
    return (np.abs(x) < 10) & (y < -16) & (y > -32) & (smooth > 0)


def posterior_bone(smooth: np.ndarray, body: np.ndarray, canal: np.ndarray, spacing: float) -> np.ndarray:
    """Bone above 180 HU behind the canal's centre and up to 50 mm beside it: arches, processes, ribs; no vessels."""
    y, x = _offsets(smooth.shape, canal, spacing)
    return body & (smooth > _BONE_HU) & (np.abs(x) < 50) & (y > 0)


def lung(smooth: np.ndarray, body: np.ndarray, spacing: float) -> np.ndarray:
    """Gas in the body in components above 200 ml, eroded by a voxel; empty if the scan shows none."""
    gas = body & (smooth < _GAS_HU)
    parts = cc3d.connected_components(gas, connectivity=6)
    large = np.bincount(parts.ravel()) * spacing**3 / 1000 > _LUNG_ML
    large[0] = False
    return ndimage.binary_erosion(large[parts])


def air_around(body: np.ndarray, hu: np.ndarray, spacing: float) -> np.ndarray:
    """Air 6-40 mm outside the body in its slice and before its middle, below -800 HU: no table, cushion or cloth."""
    if not body.any():
        return body
    away = np.stack([_plane_depth(~plane) for plane in body]) * spacing
    before = np.arange(body.shape[1]) < np.median(np.argwhere(body.any((0, 2))))
    return (away > 6) & (away < 40) & (hu < -800) & body.any((1, 2))[:, None, None] & before[None, :, None]


def eroded(mask: np.ndarray, spacing: tuple[float, ...], mm: float) -> np.ndarray:
    """The mask less what lies within `mm` of its outside; `spacing` (z, y, x) in mm."""
    return ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1] > mm


def class_shares(hu: np.ndarray, body: np.ndarray) -> dict[str, float]:
    """Mean share of fat, soft, dense and gas voxels over the abdominal slices' body.

    Fat -150..-30, soft -30..150, dense (bone, contrast) above 150, gas below -500 HU. A slice is abdominal where less
    than 15 % of its body is gas. NaN without such a slice.
    """
    area = body.sum((1, 2)).astype(float)
    limits = {"fat": (-150, -30), "soft": (-30, 150), "dense": (150, np.inf), "gas": (-np.inf, -500)}
    shares = {name: _slice_shares(hu, body, a, b) for name, (a, b) in limits.items()}
    abdominal = (area > 0.3 * area.max()) & (shares["gas"] < 0.15)
    return {name: float(share[abdominal].mean()) if abdominal.any() else np.nan for name, share in shares.items()}


def _slice_shares(hu: np.ndarray, body: np.ndarray, low: float, high: float) -> np.ndarray:
    return (body & (hu >= low) & (hu < high)).sum((1, 2)) / np.maximum(1, body.sum((1, 2)))


def _canal_of(bone: np.ndarray, middle: float, spacing: float) -> np.ndarray | None:
    shut = ndimage.binary_closing(bone, iterations=2)
    holes, count = ndimage.label(ndimage.binary_fill_holes(shut) & ~shut)
    area = np.bincount(holes.ravel(), minlength=count + 1)[1:] * spacing**2
    kept = np.flatnonzero((area > _CANAL_MM2[0]) & (area < _CANAL_MM2[1])) + 1
    if not len(kept):
        return None
    centers = np.array(ndimage.center_of_mass(holes > 0, holes, kept))
    nearest = centers[np.abs(centers[:, 1] - middle).argmin()]
    return nearest if abs(nearest[1] - middle) * spacing < 40 else None


def _offsets(shape: tuple[int, ...], canal: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Offsets in mm from the canal's centre: backwards (z, y, 1) and to the left (z, 1, x)."""
    y = (np.arange(shape[1])[None, :] - canal[:, :1]) * spacing
    x = (np.arange(shape[2])[None, :] - canal[:, 1:]) * spacing
    return y[:, :, None], x[:, None, :]


def _filled(plane: np.ndarray, most: float) -> np.ndarray:
    """The plane with its holes, and with other background components of up to `most` pixels unless it is empty."""
    parts, count = ndimage.label(~plane)
    if not plane.any() or not count:
        return plane
    small = np.bincount(parts.ravel()) <= most
    return ndimage.binary_fill_holes(plane | small[parts])


def _plane_depth(mask: np.ndarray) -> np.ndarray:
    if mask.all():
        return np.full(mask.shape, np.inf)
    return ndimage.distance_transform_edt(mask)


def _ball(radius: float) -> np.ndarray:
    reach = np.arange(-int(radius), int(radius) + 1)
    return sum(axis**2 for axis in np.meshgrid(reach, reach, reach, indexing="ij")) <= radius**2
