"""Vessels that are not the kidneys', and lymph nodes: mesentery, gonadal and lumbar vessels, nodes around aorta and
cava."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...anatomy import LEFT, RIGHT
from ..tissues import Tissue
from .great_vessels import GreatVessels
from .scene import Scene
from .tubes import curve, tube

_NODES_SHARE = 0.2
_SIDES = {RIGHT: -1, LEFT: 1}


def smooth_visceral_vessels(scene: Scene) -> None:
    """Rounds and thickens the atlas's ragged visceral vessels."""
    for kind, gain in ((Tissue.PORTAL_VEIN, 0.36), (Tissue.OTHER_ARTERY, 0.36)):
        mask = scene.tissues == kind
        soft = ndimage.gaussian_filter(mask.astype(np.float32), 1.3 / scene.spacing)
        grown = soft > gain * scene.rng.uniform(0.85, 1.2)
        over = scene.free() | scene.among(Tissue.LIVER, Tissue.PANCREAS)
        scene.tissues[grown & over] = kind


def add_vessel(scene: Scene, points: list[np.ndarray], radius_mm: float, tissue: Tissue, *over: Tissue) -> None:
    """A thin vessel through control points (voxels), over fat and the tissues `over`."""
    path = curve(points, 0.5)
    radius = max(scene.voxels(radius_mm), 0.5)
    scene.paint(tube(scene.tissues.shape, path, radius), tissue, *over)


def add_retroperitoneal_vessels(scene: Scene, vessels: GreatVessels) -> None:
    """Gonadal veins before the psoas, a pair of lumbar vessels behind the aorta at every vertebra."""
    rng, mm = scene.rng, scene.voxels(1)
    low, high = scene.marks.kidney_span
    for side, sign in _SIDES.items():
        kidney = scene.marks.kidneys[side]
        root = np.array([kidney.center[0], kidney.center[1] - 12 * mm, kidney.center[2] - sign * 32 * mm])
        steps = [
            np.array([-mm * z, rng.uniform(-4, 4) * mm, sign * mm * x]) for z, x in ((50, 2), (100, 10), (150, 20))
        ]
        add_vessel(scene, [root, *(root + s for s in steps)], rng.uniform(0.8, 2.2), Tissue.OTHER_VEIN)
    for z in np.arange(low - 40 * mm, high, rng.uniform(28, 36) * mm):
        for line, kind in ((vessels.aorta.trunk, Tissue.OTHER_ARTERY), (vessels.cava.trunk, Tissue.OTHER_VEIN)):
            _lumbar_pair(scene, line[np.abs(line[:, 0] - z).argmin()], kind)


def _lumbar_pair(scene: Scene, root: np.ndarray, kind: Tissue) -> None:
    mm, level = scene.voxels(1), int(root[0])
    front, middle = scene.marks.front[level], scene.marks.middle[level]
    for sign in (-1, 1):
        around = [(front + 6 * mm, middle + sign * 26 * mm), (front + 24 * mm, middle + sign * 30 * mm)]
        points = [root, *(np.array([root[0] - 2 * mm * i, *p]) for i, p in enumerate(around, 1))]
        add_vessel(scene, points, scene.rng.uniform(0.6, 1.2), kind)


def add_mesenteric_vessels(scene: Scene, vessels: GreatVessels) -> None:
    """Branches that fan out from before the aorta into the fat of the belly, veins beside arteries."""
    rng, mm = scene.rng, scene.voxels(1)
    low, high = scene.marks.kidney_span
    for _ in range(rng.integers(14, 34)):
        z = rng.uniform(low - 30 * mm, high - 20 * mm)
        start = vessels.aorta.trunk[np.abs(vessels.aorta.trunk[:, 0] - z).argmin()] - [0, rng.uniform(22, 40) * mm, 0]
        toward = np.array([-rng.uniform(0, 90), -rng.uniform(0, 50), rng.uniform(-75, 75)]) * mm
        bend = start + toward * 0.5 + rng.normal(0, 7, 3) * mm
        radius = rng.uniform(0.6, 1.8)
        points = [start, bend, start + toward]
        add_vessel(scene, points, radius, Tissue.OTHER_ARTERY if rng.random() < 0.4 else Tissue.OTHER_VEIN)


def add_nodes(scene: Scene, vessels: GreatVessels) -> None:
    """Lymph nodes of 4-15 mm beside aorta and cava in some patients."""
    rng = scene.rng
    if rng.random() > _NODES_SHARE:
        return
    largest = rng.uniform(6, 15)
    for _ in range(rng.integers(2, 14)):
        line = (vessels.aorta if rng.random() < 0.6 else vessels.cava).trunk
        radius = rng.uniform(4, largest) / 2
        turn = rng.uniform(0, 2 * np.pi)
        away = scene.voxels(radius + rng.uniform(9, 16)) * np.array([0, np.sin(turn), np.cos(turn)])
        center = line[rng.integers(len(line))] + away
        stretch = center + np.linspace(-0.5, 0.5, 3)[:, None] * scene.voxels(radius) * np.array([1.0, 0, 0])
        scene.paint(tube(scene.tissues.shape, stretch, scene.voxels(radius)), Tissue.LYMPH_NODE)
