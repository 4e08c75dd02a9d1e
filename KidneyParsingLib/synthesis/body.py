"""What the SPL atlas leaves out: body wall, fat, skin, lungs, heart, bowel contents, bone shells, table and arms."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .fields import closed, smooth_noise
from .tissues import Tissue

_COARSE = 2


def fill_body(tissues: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    """Completes SPL tissues (z, y, x; AIR where unlabelled) to a whole patient on a table, in place."""
    inside = _inside(tissues, spacing)
    wall_depth = rng.uniform(6, 14) / spacing
    depth = ndimage.distance_transform_edt(inside).astype(np.float32)
    unlabelled = inside & (tissues == Tissue.AIR)
    tissues[unlabelled] = Tissue.FLUID if rng.random() < 0.08 else Tissue.FAT
    tissues[unlabelled & (depth < wall_depth)] = Tissue.MUSCLE
    _fill_chest(tissues, unlabelled & (depth >= wall_depth), spacing, rng)
    _grow_spleen(tissues, spacing, rng)
    _fill_bowel(tissues, spacing, rng)
    _shell_bones(tissues)
    body = _cover_with_fat(tissues, inside, spacing, rng)
    _add_surroundings(tissues, body, spacing, rng)


def _inside(tissues: np.ndarray, spacing: float) -> np.ndarray:
    """The trunk within its muscle and rib wall: labels closed over the gaps between ribs, holes filled by slice."""
    coarse = tissues[::_COARSE, ::_COARSE, ::_COARSE] > 0
    shut = closed(coarse, 44 / (spacing * _COARSE))
    shut = _continued(np.stack([ndimage.binary_fill_holes(plane) for plane in shut]))
    fine = np.repeat(np.repeat(np.repeat(shut, _COARSE, 0), _COARSE, 1), _COARSE, 2)
    return fine[tuple(slice(n) for n in tissues.shape)] | (tissues > 0)


def _continued(inside: np.ndarray) -> np.ndarray:
    """The trunk goes on where the atlas runs out of labels: slices far smaller than their inner neighbour take its
    outline."""
    middle = len(inside) // 2
    for order in (range(middle + 1, len(inside)), range(middle - 1, -1, -1)):
        for z in order:
            inner = inside[z - 1 if z > middle else z + 1]
            if inside[z].sum() < 0.9 * inner.sum():
                inside[z] = inner
    return inside


def _fill_chest(tissues: np.ndarray, free: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    liver = np.flatnonzero((tissues == Tissue.LIVER).any((1, 2)))
    spine = np.argwhere(tissues == Tissue.MARROW)
    if not len(liver) or not len(spine):
        return
    z, y, x = (np.arange(n) for n in tissues.shape)
    dome = liver[-1] - rng.uniform(15, 50) / spacing + 6 / spacing * smooth_noise(tissues.shape, 30 / spacing, rng)
    above = free & (z[:, None, None] > dome)
    middle = np.median(spine[:, 1:], axis=0)
    mediastinum = (np.abs(x - middle[1]) < rng.uniform(15, 30) / spacing)[None, None, :]
    tissues[above] = Tissue.LUNG
    tissues[above & mediastinum] = Tissue.FAT
    center = middle + np.array([-rng.uniform(60, 90), rng.uniform(5, 35)]) / spacing
    across = ((y[:, None] - center[0]) / rng.uniform(38, 55)) ** 2 + ((x - center[1]) / rng.uniform(42, 65)) ** 2
    tissues[above & (across * spacing**2 < 1)[None]] = Tissue.HEART


def _grow_spleen(tissues: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    """The atlas's spleen is a sliver; most are large and touch the left kidney."""
    spleen = tissues == Tissue.SPLEEN
    if not spleen.any():
        return
    low, high = np.argwhere(spleen).min(0), np.argwhere(spleen).max(0) + 1
    reach = round(32 / spacing)
    window = tuple(slice(max(0, a - reach), b + reach) for a, b in zip(low, high, strict=True))
    local = tissues[window]
    away = ndimage.distance_transform_edt(~spleen[window]) * spacing
    uneven = 1 + 0.4 * smooth_noise(local.shape, 25 / spacing, rng)
    local[(away < rng.uniform(0, 22) * uneven) & np.isin(local, (Tissue.FAT, Tissue.LUNG, Tissue.FLUID))] = (
        Tissue.SPLEEN
    )


def _fill_bowel(tissues: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    hollow = np.isin(tissues, (Tissue.BOWEL_FLUID, Tissue.STOMACH))
    core = ndimage.binary_erosion(hollow, iterations=max(1, round(2 / spacing)))
    content = smooth_noise(tissues.shape, 18 / spacing, rng)
    height = smooth_noise(tissues.shape, 40 / spacing, rng)
    tissues[hollow & ~core & (tissues == Tissue.BOWEL_FLUID)] = Tissue.BOWEL_WALL
    tissues[core & (content > rng.uniform(0.3, 1.5))] = Tissue.BOWEL_GAS
    if rng.random() < 0.5:
        tissues[core & (content < rng.uniform(-0.8, 0.5)) & (height > -0.5)] = Tissue.BOWEL_CONTRAST


def _shell_bones(tissues: np.ndarray) -> None:
    marrow = tissues == Tissue.MARROW
    tissues[marrow & ~ndimage.binary_erosion(marrow, border_value=1)] = Tissue.BONE


def _cover_with_fat(tissues: np.ndarray, inside: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Adds subcutaneous fat (3-45 mm, uneven) and skin; returns the mask of the whole body."""
    coarse = inside[::_COARSE, ::_COARSE, ::_COARSE]
    away = ndimage.zoom(ndimage.distance_transform_edt(~coarse).astype(np.float32) * _COARSE, _COARSE, order=1)
    away = np.pad(away, [(0, max(0, n - m)) for n, m in zip(inside.shape, away.shape, strict=True)], mode="edge")
    away = away[tuple(slice(n) for n in inside.shape)]
    thickness = rng.gamma(2.2, 7) + 3
    uneven = np.clip(1 + 0.35 * smooth_noise(inside.shape, 70 / spacing, rng), 0.3, 2)
    body = inside | (away < thickness / spacing * uneven)
    tissues[body & ~inside] = Tissue.FAT
    tissues[body & ~ndimage.binary_erosion(body, border_value=1)] = Tissue.SKIN
    return body


def _add_surroundings(tissues: np.ndarray, body: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    rows = np.flatnonzero(body.any((0, 2)))
    if not len(rows):
        return
    y, x = np.arange(body.shape[1])[:, None], np.arange(body.shape[2])[None, :]
    sag = rng.uniform(0, 25) / spacing * ((x - body.shape[2] / 2) / (body.shape[2] / 2)) ** 2
    table = np.abs(y - (rows[-1] + rng.uniform(2, 14) / spacing - sag)) < rng.uniform(1, 3) / spacing
    tissues[table[None] & ~body] = Tissue.TABLE
    if rng.random() < 0.3:
        _add_arms(tissues, body, spacing, rng)


def _add_arms(tissues: np.ndarray, body: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    columns = np.flatnonzero(body.any((0, 1)))
    z, y, x = np.ogrid[tuple(slice(n) for n in body.shape)]
    for edge, sign in ((columns[0], -1), (columns[-1], 1)):
        radius = rng.uniform(30, 50) / spacing
        center_x = edge + sign * (radius + 2) + rng.uniform(-0.1, 0.1) * (z - body.shape[0] / 2)
        center_y = body.shape[1] * rng.uniform(0.35, 0.65)
        distance = np.hypot(y - center_y, x - center_x)
        for limit, tissue in ((1.0, Tissue.SKIN), (0.95, Tissue.FAT), (0.8, Tissue.MUSCLE), (0.28, Tissue.BONE)):
            tissues[(distance < limit * radius) & ~body] = tissue
