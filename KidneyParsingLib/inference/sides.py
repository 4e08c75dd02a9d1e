"""From structures to segments: right and left kidney and ureter, one segment per tumor."""

from __future__ import annotations

import cc3d
import numpy as np

from ..anatomy import LEFT, RIGHT, SEGMENTS, STRUCTURES, Segment, Structure, further_segment, segment
from ..volumes.volume import LabelMap, Volume
from .locate import CROSSING_SHARE, Midline

MAX_TUMORS = 5


def to_segments(labels: np.ndarray, volume: Volume, midline: Midline, notes: tuple[str, ...] = ()) -> LabelMap:
    """The label map of structure labels (z, y, x) on the CT's grid, with sides by the midline."""
    values = np.zeros(labels.shape, labels.dtype)  # in C order, as `_paint` goes by flat indices
    found: list[Segment] = []
    for entry in STRUCTURES:
        mask = labels == entry.label
        if not mask.any():
            continue
        if entry.paired:
            found += _paint_sides(values, mask, entry, volume, midline)
        elif entry.plural:
            found += _paint_each(values, mask, entry)
        else:
            found.append(_paint(values, mask, segment(entry.name)))
    order = [s.id for s in SEGMENTS]
    found.sort(key=lambda s: order.index(s.id) if s.id in order else order.index(s.structure.name) + 0.5)
    return LabelMap(values, volume.affine, tuple(found), notes)


def _paint(values: np.ndarray, where: np.ndarray, target: Segment) -> Segment:
    values[where] = target.value
    return target


def _paint_sides(
    values: np.ndarray, mask: np.ndarray, entry: Structure, volume: Volume, midline: Midline
) -> list[Segment]:
    found = np.flatnonzero(mask)  # most voxels are nothing
    right = right_side(mask.shape, volume.affine, midline).ravel()[found]
    part = cc3d.connected_components(mask, connectivity=26).ravel()[found]
    count = int(part.max()) + 1
    share = np.bincount(part[right], minlength=count) / np.maximum(np.bincount(part, minlength=count), 1)
    whole = (share < CROSSING_SHARE) | (share > 1 - CROSSING_SHARE)
    right = np.where(whole[part], (share > 0.5)[part], right)
    painted = []
    for side, chosen in ((RIGHT, found[right]), (LEFT, found[~right])):
        if len(chosen):
            painted.append(_paint(values.ravel(), chosen, segment(f"{entry.name}_{side}")))
    return painted


def right_side(shape: tuple[int, ...], affine: np.ndarray, midline: Midline) -> np.ndarray:
    """Mask (z, y, x) of a volume's voxels on the patient's right of the midline."""
    _, j, i = np.ogrid[tuple(slice(n) for n in shape)]
    x, z = (_in_plane(affine[row], i, j) for row in (0, 2))
    right = np.empty(shape, bool)
    for index in range(shape[0]):  # a plane at a time, for memory
        right[index] = (x + affine[0, 2] * index < midline.at(z + affine[2, 2] * index))[0]
    return right


def _in_plane(row: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """A coordinate in the first plane, given its row of the affine; along axes on which it does not depend only one
    voxel wide."""
    terms = (step * axis for step, axis in ((row[0], i), (row[1], j)) if step)
    return sum(terms, np.full((1, 1, 1), row[3]))


def _paint_each(values: np.ndarray, mask: np.ndarray, entry: Structure) -> list[Segment]:
    """The components by falling volume as `tumor`, `tumor_2`, ...; those after the last number join it."""
    found = np.flatnonzero(mask)
    part = cc3d.connected_components(mask, connectivity=26).ravel()[found]
    voxels = np.bincount(part)
    ranked = np.argsort(voxels)[::-1][: np.count_nonzero(voxels)]
    painted = [segment(entry.name), *(further_segment(entry.name, n + 1, n - 1) for n in range(1, MAX_TUMORS))]
    painted = painted[: len(ranked)]
    of_part = np.zeros(len(voxels), np.uint8)
    of_part[ranked] = [painted[min(rank, MAX_TUMORS - 1)].value for rank in range(len(ranked))]
    values.ravel()[found] = of_part[part]
    return painted
