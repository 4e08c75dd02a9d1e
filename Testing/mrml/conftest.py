"""Analytic label maps on grids of any orientation, and a scene to put them into."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial import cKDTree

from KidneyParsingLib.anatomy import SEGMENTS, Segment, further_segment, segment
from KidneyParsingLib.mrml.scene import SceneEnvironment, create_scene
from KidneyParsingLib.volumes.geometry import make_affine
from KidneyParsingLib.volumes.volume import LabelMap, Volume

SHAPE = (44, 72, 80)
SPHERES = {
    "kidney_right": ((-18.0, 4.0, 2.0), 9.0),
    "kidney_left": ((18.0, 5.0, -2.0), 8.0),
    "tumor": ((-18.0, -8.0, 6.0), 4.0),
    "tumor_2": ((17.0, -8.0, -6.0), 3.0),
    "vein": ((0.0, 12.0, 0.0), 3.0),
}


def _rotation() -> np.ndarray:
    a, b = 0.35, -0.2
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x


AFFINES = {
    "axial": ((0.8, 0.8, 0.8), np.eye(3)),
    "oblique": ((0.8, 0.9, 1.4), _rotation()),
    "mirrored": ((0.8, 0.8, 1.2), np.diag([-1.0, 1.0, 1.0])),
    "coronal": ((0.8, 1.4, 0.9), np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])),
}


def _centered_affine(name: str) -> np.ndarray:
    spacing, direction = AFFINES[name]
    affine = make_affine(spacing, (0.0, 0.0, 0.0), direction)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE[::-1]) - 1) / 2)
    return affine


def _positions(affine: np.ndarray) -> np.ndarray:
    """LPS mm of every voxel, array (z, y, x, 3)."""
    z, y, x = np.indices(SHAPE)
    return np.stack([x, y, z], axis=-1) @ affine[:3, :3].T + affine[:3, 3]


def _segments() -> tuple[Segment, ...]:
    return (*SEGMENTS, further_segment("tumor", 2, 0))


@pytest.fixture(scope="session")
def spheres() -> dict[str, tuple[tuple[float, float, float], float]]:
    """Center (LPS mm) and radius (mm) of every segment in the label maps of `a_label_map`."""
    return SPHERES


@pytest.fixture(scope="session")
def a_label_map() -> Callable[..., LabelMap]:
    """Makes a label map of the spheres on the grid called axial, oblique, mirrored or coronal."""

    def make(grid: str = "oblique", ids: tuple[str, ...] = tuple(SPHERES)) -> LabelMap:
        affine = _centered_affine(grid)
        positions = _positions(affine)
        array = np.zeros(SHAPE, np.uint8)
        by_id = {s.id: s for s in _segments()}
        for id in ids:
            center, radius = SPHERES[id]
            array[np.linalg.norm(positions - center, axis=-1) <= radius] = by_id[id].value
        return LabelMap(array, affine, _segments())

    return make


@pytest.fixture(scope="session")
def a_volume() -> Callable[[str], Volume]:
    """Makes a CT whose HU is ten times the distance to the left plus the distance to the back, in mm."""

    def make(grid: str = "oblique") -> Volume:
        affine = _centered_affine(grid)
        positions = _positions(affine)
        return Volume(np.rint(10 * positions[..., 0] + positions[..., 1]).astype(np.int16), affine)

    return make


@pytest.fixture(scope="session")
def a_tube() -> Callable[[float], LabelMap]:
    """Makes a label map with a curved artery of the given diameter in mm, on 0.8 mm voxels."""

    def make(diameter: float) -> LabelMap:
        affine = _centered_affine("axial")
        positions = _positions(affine)
        t = np.linspace(-1.0, 1.0, 300)
        distances, _ = cKDTree(np.stack([24 * t, 10 * np.sin(3 * t), 9 * t], axis=-1)).query(positions)
        artery = segment("artery")
        return LabelMap(np.where(distances <= diameter / 2, artery.value, 0).astype(np.uint8), affine, (artery,))

    return make


@pytest.fixture
def environment() -> SceneEnvironment:
    """An empty scene with the logics that segmentations need."""
    return create_scene()
