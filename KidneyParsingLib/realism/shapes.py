"""Sizes and places of kidneys, lesions, vessels and ureters in a label map.

Labels are structure labels (1 kidney, 2 tumor, 3 artery, 4 vein, 5 ureter, 6 cyst), arrays (z, y, x), upright.
"""

from __future__ import annotations

import cc3d
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..anatomy import LEFT, RIGHT
from .tubes import center_line_length, center_points, slice_calibres, tube_diameter, without_trunk

KIDNEY, TUMOR, ARTERY, VEIN, URETER, CYST = 1, 2, 3, 4, 5, 6
_KIDNEY_ML = 20.0
# What a reader would call a lesion, and more than a few voxels.
_LESION_ML = 0.1
_TRUNK_MM = {ARTERY: 10.0, VEIN: 12.0}

Values = dict[str, list[float]]


def kidneys_by_side(labels: np.ndarray, spacing: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Masks of the right and left kidney with lesions: the largest two components above 20 ml, sides by x.

    A single kidney's side is that of the image's half it lies in; kidneys grown together count as one.
    """
    whole = np.isin(labels, (KIDNEY, TUMOR, CYST))
    parts = cc3d.connected_components(whole, connectivity=26)
    volume = np.bincount(parts.ravel()) * np.prod(spacing) / 1000
    volume[0] = 0
    large = [part for part in np.argsort(volume)[:-3:-1] if volume[part] > _KIDNEY_ML]
    middles = {part: np.argwhere((parts == part).any((0, 1))).mean() for part in large}
    if len(large) == 1:
        side = RIGHT if middles[large[0]] < labels.shape[2] / 2 else LEFT
        return {side: parts == large[0]}
    return {side: parts == part for side, part in zip((RIGHT, LEFT), sorted(large, key=middles.get), strict=False)}


def lesion_volumes(labels: np.ndarray, value: int, spacing: tuple[float, ...]) -> np.ndarray:
    """Volumes in ml of a label's components above 0.1 ml."""
    parts = cc3d.connected_components(labels == value, connectivity=26)
    volumes = np.bincount(parts.ravel())[1:] * np.prod(spacing) / 1000
    return volumes[volumes > _LESION_ML]


def sphere_diameter(volume_ml: np.ndarray) -> np.ndarray:
    """Diameter in mm of the sphere of a volume in ml."""
    return np.cbrt(6000 / np.pi * np.asarray(volume_ml, float))


def kidney_shapes(labels: np.ndarray, spacing: tuple[float, ...]) -> Values:
    """Parenchyma (ml), lesions (mm) and share with lesions kidney by kidney, and how the two kidneys lie."""
    sides = kidneys_by_side(labels, spacing)
    values: Values = {"kidney volume": [], "kidneys with tumor": [], "kidneys with cyst": []}
    for mask in sides.values():
        own = np.where(mask, labels, 0)
        values["kidney volume"].append(float((own == KIDNEY).sum() * np.prod(spacing) / 1000))
        for name, value in (("tumor", TUMOR), ("cyst", CYST)):
            volumes = lesion_volumes(own, value, spacing)
            values[f"kidneys with {name}"].append(float(len(volumes) > 0))
            values.setdefault(f"{name} diameter", []).extend(sphere_diameter(volumes).tolist())
            values.setdefault(f"{name} volume", []).extend(volumes.tolist())
    return values | _pair_shapes(sides, spacing)


def vessel_shapes(labels: np.ndarray, spacing: tuple[float, ...]) -> Values:
    """Calibres in mm of aorta and cava beside the lower half of the kidneys; one value a scan."""
    window = _lower_half(kidneys_by_side(labels, spacing))
    values: Values = {}
    for name, value in (("aorta calibre", ARTERY), ("cava calibre", VEIN)):
        found = slice_calibres((labels == value)[window], spacing)
        values[name] = [float(np.median(found))] if len(found) else []
    return values


def tube_shapes(labels: np.ndarray, spacing: float) -> Values:
    """Calibres in mm of renal arteries and veins between trunk and kidney, width and length of ureters; per side.

    Needs isotropic `spacing` of 1.5 mm or less.
    """
    window = ndimage.find_objects((labels > 0).astype(np.uint8))
    labels = labels[window[0]] if window else labels
    sides = kidneys_by_side(labels, (spacing,) * 3)
    values: Values = {
        "renal artery calibre": _renal_calibres(labels, ARTERY, sides, spacing),
        "renal vein calibre": _renal_calibres(labels, VEIN, sides, spacing),
        "ureter width": [],
        "ureter length": [],
    }
    for kidney in sides.values():
        below = _ureter_below(labels == URETER, kidney, spacing)
        if below.any():
            points = center_points(below)
            values["ureter width"].append(tube_diameter(below, points, np.ones(len(points), bool), spacing))
            values["ureter length"].append(center_line_length(below, spacing))
    return values


def spine_distances(labels: np.ndarray, canal_x_mm: np.ndarray, spacing: tuple[float, ...]) -> Values:
    """Lateral distance in mm of each kidney's centre, and of its nearest voxel, from the spinal canal's centre.

    `canal_x_mm` is the canal's x in mm from the array's border in every slice.
    """
    values: Values = {"kidney centre to spine": [], "kidney edge to spine": []}
    for mask in kidneys_by_side(labels, spacing).values():
        points = np.argwhere(mask)
        away = np.abs((points[:, 2] + 0.5) * spacing[2] - canal_x_mm[points[:, 0]])
        if np.isfinite(away).all():
            values["kidney centre to spine"].append(float(away.mean()))
            values["kidney edge to spine"].append(float(np.percentile(away, 0.5)))
    return values


def _pair_shapes(sides: dict[str, np.ndarray], spacing: tuple[float, ...]) -> Values:
    if len(sides) < 2:
        return {"left kidney higher by": [], "distance between kidneys": []}
    right, left = (ndimage.center_of_mass(sides[side]) for side in (RIGHT, LEFT))
    return {
        "left kidney higher by": [float(left[0] - right[0]) * spacing[0]],
        "distance between kidneys": [float(left[2] - right[2]) * spacing[2]],
    }


def _lower_half(sides: dict[str, np.ndarray]) -> slice:
    """Slices of the lower half of the range that the kidneys span."""
    heights = [np.flatnonzero(mask.any((1, 2))) for mask in sides.values()]
    if not heights:
        return slice(0, 0)
    low, high = min(h[0] for h in heights), max(h[-1] for h in heights) + 1
    return slice(int(low), int(low + high) // 2)


def _renal_calibres(labels: np.ndarray, value: int, sides: dict[str, np.ndarray], spacing: float) -> list[float]:
    """One calibre a side, over the part more than 4 mm off the trunk and 6 mm off the kidney."""
    branches, trunk = without_trunk(labels == value, _TRUNK_MM[value], spacing)
    if not trunk.any() or not branches.any():
        return []
    points = center_points(branches)
    off_trunk = _away(points, trunk) * spacing > 4
    middle = np.argwhere(trunk)[:, 2].mean()
    found = []
    for side, kidney in sides.items():
        low, high = _reach(kidney, spacing)
        on_side = ((points[:, 2] < middle) == (side == RIGHT)) & (points[:, 0] >= low) & (points[:, 0] <= high)
        between = off_trunk & on_side & (_away(points, kidney) * spacing > 6)
        if between.sum() * spacing > 6:
            found.append(tube_diameter(branches, points, between, spacing))
    return found


def _away(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Distance in voxels of points to the nearest voxel of a mask."""
    return cKDTree(np.argwhere(mask)).query(points)[0]


def _reach(kidney: np.ndarray, spacing: float) -> tuple[float, float]:
    """Heights between which a kidney's vessels run."""
    heights = np.flatnonzero(kidney.any((1, 2)))
    return heights[0], heights[-1] + 15 / spacing


def _ureter_below(ureter: np.ndarray, kidney: np.ndarray, spacing: float) -> np.ndarray:
    """A kidney's ureter from 10 mm above the kidney's lower end downwards: the components nearest to its side."""
    end = np.flatnonzero(kidney.any((1, 2)))[0] + round(10 / spacing)
    own = ureter.copy()
    own[end:] = False
    parts = cc3d.connected_components(own, connectivity=26)
    on_left = np.argwhere(kidney)[:, 2].mean() > ureter.shape[2] / 2
    kept = [i for i in range(1, parts.max() + 1) if (_middle_x(parts == i) > ureter.shape[2] / 2) == on_left]
    return np.isin(parts, kept)


def _middle_x(mask: np.ndarray) -> float:
    return float(np.argwhere(mask.any((0, 1))).mean())
