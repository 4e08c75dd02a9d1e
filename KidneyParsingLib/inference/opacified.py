"""What contrast medium shows more sharply than a network of 2 mm: urine in the excretory phase, small arteries in the
arterial one. Both are looked for on the CT's own voxels, next to what the network has called ureter or artery; where
they are no brighter than all around, its labels stay (docs/experiments.md, 22 and 23)."""

from __future__ import annotations

from collections.abc import Iterator

import cc3d
import numpy as np

from ..anatomy import ORGAN_LABELS, TUBES, labels_of
from ..volumes.overview import MOST_PLAIN_HU
from .cleanup import MIN_KIDNEY_ML
from .grid import Box, Grid
from .neighbourhood import distance, touching, within

_KIDNEY, _ARTERY, _VEIN, _URETER = labels_of("kidney", *TUBES)
# Urine with contrast medium is by so much brighter than kidney and blood.
_URINE_OVER_BLOOD_HU = 100.0
# Most of what a network calls ureter may be dark, as it makes thin ureters too thick. But a stone alone does not make a
# quarter of that half as bright as blood.
_BRIGHT_PERCENTILE, _STONE_PERCENTILE, _STONE_SHARE = 90, 75, 0.5
# Urine begins at this share of the way from blood to it: partial volumes count, as tubes are thin.
_URINE_SHARE = 0.35
# It is looked for so far from the network's ureter, and what is dark is no ureter this near to it.
_URINE_REACH_MM = 8.0
_DARK_REACH_MM = 24.0
# From there it is followed in steps of so many mm or slices, as long as they add no more than a tube of 6 mm does.
_STEP_MM = 3.0
_STEP_SLICES = 1.5
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


def follow_urine(labels: np.ndarray, hu: np.ndarray, grid: Grid) -> bool:
    """In the excretory phase ureter is what is bright near the network's ureter, and on from there as a tube, in place;
    of the network's only what lies far from anything bright stays (an empty ureter, a kidney that puts out none). True
    if that was done.

    `labels` and `hu` (z, y, x) are structure labels and the CT on its own voxels, of which `grid` says the spacing.
    Nothing is looked for beyond them. Without kidneys nothing tells how bright contrast medium is: then all stays.
    """
    ureter = labels == _URETER
    if ureter.sum() < _LEAST_VOXELS:
        return False
    least = _least_urine_hu(labels, hu, grid)
    if least is None:
        return False
    window = _around(ureter, _URINE_REACH_MM, grid)
    bright = _replace_ureter(labels[window], hu[window], ureter[window], least, grid)
    for front in _components(bright, np.array([part.start for part in window])):
        _go_on(labels, hu, front, least, grid)
    return True


def _replace_ureter(labels: np.ndarray, hu: np.ndarray, ureter: np.ndarray, least: float, grid: Grid) -> np.ndarray:
    """Puts bright urine in the place of the network's ureter and of all but vessels, in place; the mask (z, y, x) of
    it."""
    bright = within(ureter, _URINE_REACH_MM, grid) & (hu >= least) & ~np.isin(labels, (_ARTERY, _VEIN))
    bright = touching(bright, ureter)
    dark = ureter & ~bright & within(bright, _DARK_REACH_MM, grid)
    _give_to_neighbours(labels, dark, bright, grid)
    labels[bright] = _URETER
    return bright


def _go_on(labels: np.ndarray, hu: np.ndarray, start: np.ndarray, least: float, grid: Grid) -> None:
    """Follows a tube of at least so many HU from its voxels `start` (n, 3; indices z, y, x) on, in place; where it
    branches, each branch by itself."""
    # A tube may run aslant through thick slices.
    step = max(_STEP_MM, _STEP_SLICES * max(grid.spacing))
    fronts = [start]
    while fronts:
        front = fronts.pop()
        low, window = _window_around(front, step, grid)
        part, here = labels[window], np.zeros(labels[window].shape, bool)
        here[tuple((front - low).T)] = True
        free = (part == 0) | (part == _KIDNEY)
        ahead = within(here, step, grid) & (hu[window] >= least) & free
        ahead = _small(touching(ahead | here, here) & ahead, _MOST_STEP_MM2 * step, grid)
        part[ahead] = _URETER
        fronts += _components(ahead, low)


def _components(mask: np.ndarray, offset: np.ndarray) -> list[np.ndarray]:
    """The voxels (n, 3; indices z, y, x, from `offset` on) of each component of a mask."""
    parts, places = cc3d.connected_components(mask, connectivity=26)[mask], np.argwhere(mask) + offset
    order = np.argsort(parts, kind="stable")
    return np.split(places[order], np.flatnonzero(np.diff(parts[order])) + 1) if len(parts) else []


def _small(mask: np.ndarray, most_mm3: float, grid: Grid) -> np.ndarray:
    """The components of a mask (z, y, x) of at most so many mm^3."""
    parts = cc3d.connected_components(mask, connectivity=26)
    chosen = np.bincount(parts[mask], minlength=1) * float(np.prod(grid.spacing)) <= most_mm3
    return mask & chosen[parts]


def follow_arteries(labels: np.ndarray, hu: np.ndarray, grid: Grid) -> None:
    """In the arterial phase what is as bright as the arteries, thin, near a kidney and hangs on them is artery too, in
    place. Each kidney is judged by itself: one may be brighter than the other. Arguments as those of `follow_urine`."""
    artery_hu, vein_hu = (_brightness(labels, hu, (label,)) for label in (_ARTERY, _VEIN))
    if artery_hu < vein_hu + _LEAST_RISE_HU:
        return
    for kidney, box in _parts(np.isin(labels, ORGAN_LABELS), grid):
        window = grid.window(box.grown((_ARTERY_REACH_MM,) * 3, (_ARTERY_REACH_MM,) * 3))
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


def _parts(organ: np.ndarray, grid: Grid) -> Iterator[tuple[np.ndarray, Box]]:
    """The components of a mask (z, y, x) of at least 5 ml, each a mask with its box."""
    parts = cc3d.connected_components(organ, connectivity=26)
    ml = np.bincount(parts[organ]) * float(np.prod(grid.spacing)) / 1000
    for number in np.flatnonzero(ml >= MIN_KIDNEY_ML):
        part = parts == number
        yield part, grid.box_of(part)


def _window_around(voxels: np.ndarray, mm: float, grid: Grid) -> tuple[np.ndarray, tuple[slice, ...]]:
    """The window so many mm around voxels (n, 3; indices z, y, x), which may reach beyond the end; and where it
    begins."""
    room = np.ceil(mm / np.array(grid.spacing)).astype(int)
    low = np.maximum(voxels.min(0) - room, 0)
    return low, tuple(map(slice, low, voxels.max(0) + room + 1))


def _around(mask: np.ndarray, mm: float, grid: Grid) -> tuple[slice, slice, slice]:
    return grid.window(grid.box_of(mask).grown((mm,) * 3, (mm,) * 3))


def _least_urine_hu(labels: np.ndarray, hu: np.ndarray, grid: Grid) -> float | None:
    """From which HU on a voxel is urine with contrast medium; None if there is none. Without contrast medium in blood
    or kidneys what is bright is a stone. The brighter of two kidneys counts: a blocked one stays bright for long."""
    organs = _parts(np.isin(labels, ORGAN_LABELS), grid)
    kidneys = [_brightness(np.where(part, labels, 0), hu, (_KIDNEY,)) for part, _ in organs]
    blood = max(*kidneys, _brightness(labels, hu, (_ARTERY, _VEIN)), -np.inf)
    urine, most = np.percentile(hu[labels == _URETER], (_BRIGHT_PERCENTILE, _STONE_PERCENTILE)).tolist()
    if not kidneys or blood < MOST_PLAIN_HU or most < _STONE_SHARE * blood or urine < blood + _URINE_OVER_BLOOD_HU:
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
    background of the others, in place; component by component, which takes little memory."""
    for place in _components(given, np.zeros(3, int)):
        low, window = _window_around(place, _URINE_REACH_MM, grid)
        organ = np.isin(labels[window], ORGAN_LABELS)
        rest = ~organ & ~(given[window] | bright[window])
        mine = tuple((place - low).T)
        labels[window][mine] = np.where(_is_nearer(organ, rest, grid)[mine], _KIDNEY, 0)


def _is_nearer(first: np.ndarray, second: np.ndarray, grid: Grid) -> np.ndarray:
    """Where (z, y, x) a mask is nearer than another; one of nothing is far from everywhere."""
    if not (first.any() and second.any()):
        return np.full(first.shape, first.any())
    return distance(first, grid) < distance(second, grid)
