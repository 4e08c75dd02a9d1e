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
    values = np.zeros_like(labels)
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


def _paint(values: np.ndarray, mask: np.ndarray, target: Segment) -> Segment:
    values[mask] = target.value
    return target


def _paint_sides(
    values: np.ndarray, mask: np.ndarray, entry: Structure, volume: Volume, midline: Midline
) -> list[Segment]:
    points = np.argwhere(mask)
    patient = points[:, ::-1] @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    right = patient[:, 0] < midline.at(patient[:, 2])
    parts = cc3d.connected_components(mask, connectivity=26)[tuple(points.T)]
    share = np.bincount(parts, right) / np.maximum(np.bincount(parts), 1)
    whole = (share < CROSSING_SHARE) | (share > 1 - CROSSING_SHARE)
    right = np.where(whole[parts], share[parts] > 0.5, right)
    painted = []
    for side, chosen in ((RIGHT, right), (LEFT, ~right)):
        if chosen.any():
            target = segment(f"{entry.name}_{side}")
            values[tuple(points[chosen].T)] = target.value
            painted.append(target)
    return painted


def _paint_each(values: np.ndarray, mask: np.ndarray, entry: Structure) -> list[Segment]:
    """The components by falling volume as `tumor`, `tumor_2`, ...; those after the last number join it."""
    parts = cc3d.connected_components(mask, connectivity=26)
    voxels = np.bincount(parts.ravel())
    voxels[0] = 0
    painted: list[Segment] = []
    for rank, part in enumerate(np.argsort(voxels)[::-1][: np.count_nonzero(voxels)]):
        if rank < MAX_TUMORS:
            painted.append(segment(entry.name) if rank == 0 else further_segment(entry.name, rank + 1, rank - 1))
        values[parts == part] = painted[-1].value
    return painted
