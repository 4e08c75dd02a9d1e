"""What lies around a patient in the scanner: table with mattress, arms, clothes, wires."""

from __future__ import annotations

import numpy as np

from ..tissues import Tissue
from .coarse import CoarseGrid
from .tubes import curve, tube

_ARMS_SHARE = 0.3
_CLOTH_SHARE = 0.4
_WIRES_SHARE = 0.06


def add_surroundings(tissues: np.ndarray, body: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    """Adds table, arms, cloth and wires around the mask of the body, in place."""
    if not body.any():
        return
    _add_table(tissues, body, spacing, rng)
    if rng.random() < _CLOTH_SHARE:
        _add_cloth(tissues, body, spacing, rng)
    if rng.random() < _ARMS_SHARE:
        _add_arms(tissues, body, spacing, rng)
    if rng.random() < _WIRES_SHARE:
        _add_wires(tissues, body, spacing, rng)


def _add_table(tissues: np.ndarray, body: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    """A tray curved up at its sides: two shells with foam or nothing between, often a mattress on it."""
    back = np.flatnonzero(body.any((0, 2)))[-1]
    y, x = (np.arange(n) for n in body.shape[1:])
    middle = body.shape[2] / 2 + rng.normal(0, 10) / spacing
    half = rng.uniform(190, 260) / spacing
    aside = (x - middle) / half
    top = back + (rng.uniform(0, 22) - rng.uniform(0, 45) * aside**2) / spacing
    thick = rng.uniform(3, 55) / spacing * np.sqrt(np.clip(1 - aside**4, 0, 1))
    shell = max(rng.uniform(1, 3) / spacing, 0.6)
    below = y[:, None] - top[None, :]
    inside = (below >= 0) & (below <= thick) & (np.abs(aside) <= 1)
    hollow = inside & (below > shell) & (below < thick - shell)
    if rng.random() < 0.6:
        cushion = (below < 0) & (below > -rng.uniform(5, 25) / spacing) & (np.abs(aside) < 0.95)
        _outside(tissues, body, cushion, Tissue.CLOTH)
    _outside(tissues, body, inside & ~hollow, Tissue.TABLE)
    if rng.random() < 0.5:
        _outside(tissues, body, hollow, Tissue.CLOTH)


def _outside(tissues: np.ndarray, body: np.ndarray, plane: np.ndarray, tissue: Tissue) -> None:
    """Paints a (y, x) mask into every slice, outside the body."""
    tissues[plane[None] & ~body] = tissue


def _add_cloth(tissues: np.ndarray, body: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    """Folds of clothes or blanket: thin uneven sheets a little off the skin."""
    grid = CoarseGrid(body.shape, spacing)
    away = grid.up(grid.away(grid.share(body) > 0.5))
    waves = rng.uniform(3, 8) + 4 * grid.fine_noise(35, rng)
    sheet = np.abs(away - waves) < rng.uniform(0.5, 1.2) * max(1.0, spacing / 2)
    patch = grid.fine_noise(90, rng) > rng.uniform(-1, 0.8)
    tissues[sheet & patch & ~body & (tissues == Tissue.AIR)] = Tissue.CLOTH


def _add_arms(tissues: np.ndarray, body: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    """Upper arms or forearms beside the trunk, close to it and possibly cut by the border; sometimes one."""
    columns = np.flatnonzero(body.any((0, 1)))
    rows = np.flatnonzero(body.any((0, 2)))
    sides = ((columns[0], -1), (columns[-1], 1))
    for edge, sign in sides if rng.random() < 0.8 else sides[: 1 + int(rng.integers(2))]:
        radius = rng.uniform(28, 48) / spacing
        column = edge + sign * (radius + rng.uniform(0, 15) / spacing)
        # At the border half of an arm still shows.
        column = float(np.clip(column, 0, body.shape[2] - 1))
        row = rows[0] + rng.uniform(0.35, 0.75) * (rows[-1] - rows[0])
        _add_arm(tissues, body, (row, column), radius, rng)


def _add_arm(
    tissues: np.ndarray, body: np.ndarray, center: tuple[float, float], radius: float, rng: np.random.Generator
) -> None:
    z, y, x = np.ogrid[tuple(map(slice, body.shape))]
    rise = z - body.shape[0] / 2
    row, column = center[0] + rng.uniform(-0.2, 0.2) * rise, center[1] + rng.uniform(-0.08, 0.08) * rise
    distance = np.hypot((y - row) / rng.uniform(0.8, 1.0), x - column) / radius
    free = ~body & np.isin(tissues, (Tissue.AIR, Tissue.CLOTH))
    fat = rng.uniform(0.65, 0.9)
    for limit, tissue in ((1.0, Tissue.SKIN), (0.94, Tissue.FAT), (fat, Tissue.MUSCLE)):
        tissues[(distance < limit) & free] = tissue
    shifts = (0.0,) if rng.random() < 0.5 else (-0.35, 0.35)  # humerus, or radius and ulna
    for shift in shifts:
        shaft = np.hypot(y - row - 0.3 * shift * radius, x - column - shift * radius) / radius
        tissues[(shaft < 0.28) & free] = Tissue.BONE
        tissues[(shaft < 0.13) & free] = Tissue.FAT


def _add_wires(tissues: np.ndarray, body: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    """A few thin leads on the skin of the front."""
    first = body.argmax(1)
    covered = np.argwhere(body.any(1))
    for _ in range(rng.integers(1, 4)):
        picks = covered[rng.integers(len(covered), size=2)]
        line = np.linspace(picks[0], picks[1], 6).round().astype(int)
        line = line[body.any(1)[tuple(line.T)]]
        if len(line) < 2:
            continue
        points = [np.array([z, first[z, x] - 2.0, x]) for z, x in line]
        wire = tube(tissues.shape, curve(points, 0.5), max(0.7 / spacing, 0.55))
        if wire is not None:
            local = tissues[wire.box]
            local[(wire.depth > 0) & ~body[wire.box]] = Tissue.METAL
