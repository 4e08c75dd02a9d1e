"""What contrast medium shows more sharply than a network of 2 mm: urine in the excretory phase, small arteries in the
arterial one. Both are looked for on the CT's own voxels, next to what the network has called ureter or artery; where
they are no brighter than all around, its labels stay (docs/experiments.md, 22 and 23)."""

from __future__ import annotations

from collections.abc import Iterator

import cc3d
import numpy as np

from ..anatomy import structure
from ..volumes.overview import MOST_PLAIN_HU
from .cleanup import MIN_KIDNEY_ML, ORGAN
from .grid import Grid
from .neighbourhood import distance, touching, within

_KIDNEY, _ARTERY, _VEIN, _URETER = (structure(name).label for name in ("kidney", "artery", "vein", "ureter"))
# Urine with contrast medium is by so much brighter than kidney and blood.
_URINE_OVER_BLOOD_HU = 100.0
# Most of what a network calls ureter may be dark, as it makes thin ureters too thick. But a stone alone does not make a
# quarter of that brighter than blood.
_BRIGHT_PERCENTILE, _STONE_PERCENTILE = 90, 75
# Urine begins at this share of the way from blood to it: partial volumes count, as tubes are thin.
_URINE_SHARE = 0.35
# It is looked for so far from the network's ureter, and what is dark is no ureter this near to it.
_URINE_REACH_MM = 8.0
_DARK_REACH_MM = 24.0
# From there it is followed in steps of so many mm, or a slice, as long as they add no more than a tube of 6 mm does.
_STEP_MM = 3.0
_MOST_STEP_MM2 = 30.0
# Arteries are followed at more than half of the way from kidney and veins to them, and above nearly all of the kidney,
_ARTERY_SHARE = 0.5
_CORTEX_PERCENTILE = 98
# if they are still so much brighter,
_LEAST_RISE_HU = 30.0
# so far from a kidney, and thinner than twice this: cortex can be as bright.
_ARTERY_REACH_MM = 15.0
_THICK_MM = 4.0
# Fewer voxels say nothing about brightness.
_LEAST_VOXELS = 50


def follow_contrast(labels: np.ndarray, hu: np.ndarray, grid: Grid) -> None:
    """Lets ureters end where bright urine does, and follows bright arteries into the kidneys, in place.

    `labels` and `hu` (z, y, x) are structure labels and the CT on its own voxels, of which `grid` says the spacing.
    """
    follow_urine(labels, hu, grid)
    follow_arteries(labels, hu, grid)


def follow_urine(labels: np.ndarray, hu: np.ndarray, grid: Grid) -> None:
    """In the excretory phase ureter is what is bright near the network's ureter, and on from there as a tube, in place;
    of the network's only what lies far from anything bright stays (an empty ureter, a kidney that puts out none)."""
    ureter = labels == _URETER
    if ureter.sum() < _LEAST_VOXELS:
        return
    window = _around(ureter, _URINE_REACH_MM, grid)
    least = _least_urine_hu(labels[window], hu[window])
    if least is not None:
        bright = _replace_ureter(labels[window], hu[window], ureter[window], least, grid)
        _go_on(labels, hu, np.argwhere(bright) + [part.start for part in window], least, grid)


def _replace_ureter(labels: np.ndarray, hu: np.ndarray, ureter: np.ndarray, least: float, grid: Grid) -> np.ndarray:
    """Puts bright urine in the place of the network's ureter, in place; the mask (z, y, x) of it."""
    bright = within(ureter, _URINE_REACH_MM, grid) & (hu >= least) & ~np.isin(labels, (_ARTERY, _VEIN))
    bright = touching(bright, ureter)
    dark = ureter & ~bright & within(bright, _DARK_REACH_MM, grid)
    _give_to_neighbours(labels, dark, bright, grid)
    labels[bright] = _URETER
    return bright


def _go_on(labels: np.ndarray, hu: np.ndarray, front: np.ndarray, least: float, grid: Grid) -> None:
    """Follows tubes of at least so many HU from their voxels `front` (n, 3; indices z, y, x) on, in place."""
    step = max(_STEP_MM, *grid.spacing)
    room = np.ceil(step / np.array(grid.spacing)).astype(int)
    while len(front):
        low = np.maximum(front.min(0) - room, 0)
        window = tuple(map(slice, low, front.max(0) + room + 1))
        part, here = labels[window], np.zeros(labels[window].shape, bool)
        here[tuple((front - low).T)] = True
        free = (part == 0) | (part == _KIDNEY)
        ahead = within(here, step, grid) & (hu[window] >= least) & free
        ahead = _small(touching(ahead | here, here) & ahead, _MOST_STEP_MM2 * step, grid)
        part[ahead] = _URETER
        front = np.argwhere(ahead) + low


def _small(mask: np.ndarray, most_mm3: float, grid: Grid) -> np.ndarray:
    """The components of a mask (z, y, x) of at most so many mm^3."""
    parts = cc3d.connected_components(mask, connectivity=26)
    chosen = np.bincount(parts.ravel()) * float(np.prod(grid.spacing)) <= most_mm3
    chosen[0] = False
    return chosen[parts]


def follow_arteries(labels: np.ndarray, hu: np.ndarray, grid: Grid) -> None:
    """In the arterial phase what is as bright as the arteries, thin, near a kidney and hangs on them is artery too, in
    place. Each kidney is judged by itself: one may be brighter than the other."""
    artery_hu, vein_hu = (_brightness(labels, hu, (label,)) for label in (_ARTERY, _VEIN))
    for kidney in _parts(np.isin(labels, ORGAN), grid):
        window = _around(kidney, _ARTERY_REACH_MM, grid)
        parenchyma = hu[window][kidney[window] & (labels[window] == _KIDNEY)]
        least = _least_artery_hu(artery_hu, vein_hu, parenchyma)
        if least is not None:
            _follow_arteries(labels[window], hu[window], kidney[window], least, grid)


def _follow_arteries(labels: np.ndarray, hu: np.ndarray, kidney: np.ndarray, least: float, grid: Grid) -> None:
    free = (labels == 0) | (labels == _KIDNEY)
    bright = (hu >= least) & free & within(kidney, _ARTERY_REACH_MM, grid)
    artery = labels == _ARTERY
    thick = bright & ~within(~bright, _THICK_MM, grid, bright)
    bright &= ~within(thick, 2 * _THICK_MM, grid)
    labels[bright & touching(bright | artery, artery)] = _ARTERY


def _parts(mask: np.ndarray, grid: Grid) -> Iterator[np.ndarray]:
    """The components of a mask of at least 5 ml, each a mask (z, y, x)."""
    parts = cc3d.connected_components(mask, connectivity=26)
    ml = np.bincount(parts.ravel()) * float(np.prod(grid.spacing)) / 1000
    for number in np.flatnonzero(ml >= MIN_KIDNEY_ML):
        if number:
            yield parts == number


def _around(mask: np.ndarray, mm: float, grid: Grid) -> tuple[slice, slice, slice]:
    return grid.window(grid.box_of(mask).grown((mm,) * 3, (mm,) * 3))


def _least_urine_hu(labels: np.ndarray, hu: np.ndarray) -> float | None:
    """From which HU on a voxel is urine with contrast medium; None if there is none. Without contrast medium in blood
    or kidneys what is bright is a stone."""
    blood = _brightness(labels, hu, (_KIDNEY, _ARTERY, _VEIN))
    urine, most = np.percentile(hu[labels == _URETER], (_BRIGHT_PERCENTILE, _STONE_PERCENTILE)).tolist()
    if blood < MOST_PLAIN_HU or most < blood or urine < blood + _URINE_OVER_BLOOD_HU:
        return None
    return blood + _URINE_SHARE * (urine - blood)


def _least_artery_hu(artery_hu: float, vein_hu: float, parenchyma: np.ndarray) -> float | None:
    """From which HU on a voxel is artery; None if arteries are hardly brighter than veins and the HU of a kidney."""
    if len(parenchyma) < _LEAST_VOXELS:
        return None
    others = max(float(np.median(parenchyma)), vein_hu)
    half_way = others + _ARTERY_SHARE * (artery_hu - others)
    least = max(half_way, float(np.percentile(parenchyma, _CORTEX_PERCENTILE)))
    return least if artery_hu >= least + _LEAST_RISE_HU else None


def _brightness(labels: np.ndarray, hu: np.ndarray, structures: tuple[int, ...]) -> float:
    """The largest median HU of structures of which there is enough to tell; minus infinity if there is none."""
    masks = [labels == label for label in structures]
    return max((float(np.median(hu[mask])) for mask in masks if mask.sum() >= _LEAST_VOXELS), default=-np.inf)


def _give_to_neighbours(labels: np.ndarray, given: np.ndarray, bright: np.ndarray, grid: Grid) -> None:
    """Makes kidney of the voxels `given` (z, y, x) that lie nearer to kidney than to anything else but `bright`, and
    background of the others, in place."""
    if not given.any():
        return
    window = _around(given, _URINE_REACH_MM, grid)
    part, mine, other = labels[window], given[window], (given | bright)[window]
    organ = np.isin(part, ORGAN)
    rest = ~organ & ~other
    if organ.any() and rest.any():
        nearer = distance(organ, grid) < distance(rest, grid)
        part[mine] = np.where(nearer[mine], _KIDNEY, 0)
    else:
        part[mine] = _KIDNEY if organ.any() else 0
