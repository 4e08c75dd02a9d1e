"""More lesions set into the kidneys of a patch of made anatomy, so that few anatomies show many.

Such lesions are made ones; real shapes come with the anatomies themselves (`renal.kidneys`).
"""

from __future__ import annotations

import cc3d
import numpy as np
from scipy import ndimage

from .renal.lesions import paint_contents, uneven_ball
from .renal.variants import LesionPlan, draw_lesions
from .tissues import TUMOR_TISSUES, Tissue

_PARENCHYMA = (Tissue.CORTEX, Tissue.MEDULLA)
_TUMOR_SHARE, _CYST_SHARE, _POLYCYSTIC_SHARE = 0.35, 0.5, 0.03
# Larger ones would fill a patch.
_LARGEST_MM = 60.0
_CYST_UNEVENNESS = 0.03
# With less parenchyma in sight nothing is set in.
_LEAST_MM3 = 5_000
# Vessels so near to parenchyma are branches, which a lesion may fill the place of; others stay.
_BRANCHES_MM = 3.0


def implant_lesions(tissues: np.ndarray, spacing: float, rng: np.random.Generator) -> None:
    """Sets at most one tumor and some cysts, rarely many, into the kidneys of `tissues` (z, y, x; isotropic `spacing`
    in mm), in place: at random places of the parenchyma, exophytic to endophytic, where parenchyma, cysts, fat and,
    beside parenchyma, urine and branches of vessels are."""
    has_tumor, has_cyst, is_polycystic = rng.random(3) < (_TUMOR_SHARE, _CYST_SHARE, _POLYCYSTIC_SHARE)
    plan = draw_lesions(rng, bool(has_tumor), bool(has_cyst), bool(is_polycystic))
    kidney = np.isin(tissues, _PARENCHYMA)
    points = np.argwhere(kidney[::2, ::2, ::2]) * 2
    if len(points) * (2 * spacing) ** 3 < _LEAST_MM3:
        return
    free = _may_give_way(tissues, kidney, spacing)
    if plan.tumor:
        _implant_tumor(tissues, free, points, plan, spacing, rng)
        free &= ~np.isin(tissues, TUMOR_TISSUES)
    for diameter in plan.cysts_mm:
        window, ball = _ball(free, points, diameter, rng.uniform(-0.8, 0.7), _CYST_UNEVENNESS, spacing, rng)
        tissues[window][ball] = Tissue.CYST


def _may_give_way(tissues: np.ndarray, kidney: np.ndarray, spacing: float) -> np.ndarray:
    near = ndimage.maximum_filter(kidney, 2 * round(_BRANCHES_MM / spacing) + 1)
    branches = np.isin(tissues, (Tissue.ARTERY, Tissue.VEIN, Tissue.URINE)) & near
    return kidney | branches | np.isin(tissues, (Tissue.FAT, Tissue.CYST))


def _implant_tumor(
    tissues: np.ndarray, free: np.ndarray, points: np.ndarray, plan: LesionPlan, spacing: float,
    rng: np.random.Generator
) -> None:  # fmt: skip
    tumor = plan.tumor
    window, ball = _ball(free, points, tumor.diameter_mm, tumor.exophytic, tumor.lobulation, spacing, rng)
    if ball.any():
        local = tissues[window]
        local[ball] = Tissue.TUMOR
        paint_contents(local, ball, plan, spacing, rng)


def _ball(
    free: np.ndarray, points: np.ndarray, diameter_mm: float, level: float, unevenness: float, spacing: float,
    rng: np.random.Generator
) -> tuple[tuple[slice, ...], np.ndarray]:  # fmt: skip
    """A window of the patch and what is free of an uneven ball in it, as far as that hangs on one of `points`, which is
    drawn. The ball's centre lies there, or by `level` radii farther from their middle if that is positive."""
    radius = min(diameter_mm, _LARGEST_MM) / 2 / spacing
    point = points[rng.integers(len(points))]
    outward = point - points.mean(0)
    center = point + outward / max(np.linalg.norm(outward), 1e-6) * max(level, 0) * radius
    low = np.maximum(np.floor(center - 1.6 * radius).astype(int), 0)
    high = np.minimum(np.ceil(center + 1.6 * radius).astype(int) + 1, free.shape)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    ball = uneven_ball(window, center, radius, unevenness, rng) & free[window]
    parts = cc3d.connected_components(ball, connectivity=6)
    own = parts[tuple(point - low)]
    return window, (parts == own) & (own > 0)
