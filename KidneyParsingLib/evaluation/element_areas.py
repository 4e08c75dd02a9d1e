"""The surface within a cube of 2 x 2 x 2 voxel centres, for each of the 256 ways in which they are in or out.

As in marching cubes, the surface cuts the cube's edges halfway between an inner and an outer corner. Inner or outer
corners, whichever are fewer, are kept apart where they meet diagonally only, and each group of them that hangs together
is cut off by one polygon of 3 to 6 corners. A polygon that is not plane has the triangles whose area is largest at unit
spacing. These rules give the areas of DeepMind's table (package `surface-distance`), by which KiTS is scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product

import numpy as np

Corner = tuple[int, int, int]
CORNERS: tuple[Corner, ...] = tuple(product((0, 1), repeat=3))
_ALL = 255


def element_areas(spacing: tuple[float, ...]) -> np.ndarray:
    """Areas in mm2 (256,) by code at this spacing (z, y, x in mm); bit i of a code says that CORNERS[i] is inside."""
    z, y, x = spacing
    faces = np.array((y * x, z * x, z * y))
    return np.array([np.linalg.norm(triangles * faces, axis=1).sum() for triangles in _triangles_by_code()])


@lru_cache(maxsize=1)
def _triangles_by_code() -> tuple[np.ndarray, ...]:
    """For each code the area-weighted normals (n, 3) of its triangles at unit spacing."""
    return tuple(_triangles(code) for code in range(_ALL + 1))


def _triangles(code: int) -> np.ndarray:
    fewer = code if code.bit_count() <= 4 else _ALL - code
    inner = {corner for bit, corner in enumerate(CORNERS) if fewer >> bit & 1}
    normals = [normal for group in _groups(inner) for normal in _largest(_polygon(group))]
    return np.array(normals).reshape(-1, 3)


def _groups(corners: set[Corner]) -> Iterator[set[Corner]]:
    """The sets of corners that hang together along edges of the cube."""
    left = set(corners)
    while left:
        group = {left.pop()}
        while grown := {corner for corner in left if any(_are_neighbours(corner, other) for other in group)}:
            group |= grown
            left -= grown
        yield group


def _are_neighbours(a: Corner, b: Corner) -> bool:
    return sum(i != j for i, j in zip(a, b, strict=True)) == 1


def _polygon(group: set[Corner]) -> np.ndarray:
    """Midpoints (n, 3) of the edges that leave the group, in order round its direction from the cube's centre."""
    edges = [(a, b) for a in group for b in CORNERS if b not in group and _are_neighbours(a, b)]
    points = np.array(edges, float).mean(axis=1)
    axis = np.mean(list(group), axis=0) - 0.5
    first = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    second = np.cross(axis, first) / np.linalg.norm(axis)
    arms = points - points.mean(axis=0)
    return points[np.argsort(np.arctan2(arms @ second, arms @ first))]


def _largest(polygon: np.ndarray) -> list[np.ndarray]:
    """Area-weighted normals of the triangulation of a polygon (n, 3) that has the largest area."""
    ways = ([_normal(*polygon[list(triangle)]) for triangle in way] for way in _triangulations(0, len(polygon) - 1))
    return max(ways, key=lambda normals: round(sum(np.linalg.norm(normal) for normal in normals), 9))


def _triangulations(first: int, last: int) -> Iterator[list[tuple[int, int, int]]]:
    """Every way to cut the polygon with corners first..last into triangles."""
    if last - first < 2:
        yield []
    for apex in range(first + 1, last):
        for before, after in product(_triangulations(first, apex), list(_triangulations(apex, last))):
            yield [*before, (first, apex, last), *after]


def _normal(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.cross(b - a, c - a) / 2
