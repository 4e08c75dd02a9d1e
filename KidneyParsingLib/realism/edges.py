"""How steep HU change: gradients inside the body, and the width of the edges at skin and kidney."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_REACH_MM = 8.0
_STEP_MM = 0.25
_MOST_RAYS = 4000


def gradient_magnitude(hu: np.ndarray, spacing: tuple[float, ...], in_plane: bool = False) -> np.ndarray:
    """|gradient| in HU/mm by central differences; `spacing` (z, y, x) in mm; `in_plane` leaves z out."""
    axes = (1, 2) if in_plane else (0, 1, 2)
    parts = np.gradient(hu.astype(np.float32), *(spacing[a] for a in axes), axis=axes)
    return np.sqrt(sum(part**2 for part in parts))


def edge_profiles(hu: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """HU (rays, points) along in-plane normals of a mask's surface, from 8 mm inside to 8 mm outside in 0.25 mm steps.

    Up to 4000 rays, evenly over the surface; surfaces that face up or down by more than 17 degrees are left out.
    """
    signed = _signed_distance(mask, spacing)
    surface = np.argwhere(mask & (signed > -1.5 * max(spacing[1:])))
    surface = surface[:: max(1, len(surface) // _MOST_RAYS)]
    smooth = ndimage.gaussian_filter(signed, [1.5 * spacing[1] / s for s in spacing])
    slopes = np.gradient(smooth, *spacing)
    normals = np.stack([slope[tuple(surface.T)] for slope in slopes], 1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    steps = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM, _STEP_MM)
    level = np.abs(normals[:, 0]) < 0.3
    points = surface[level, None] + steps[None, :, None] * (normals[level] / spacing)[:, None]
    return ndimage.map_coordinates(hu.astype(np.float32), np.moveaxis(points, -1, 0), order=1, mode="nearest")


def rise_distance(profiles: np.ndarray, outside: tuple[float, float], least_step: float) -> float:
    """10-90 % distance in mm of the mean profile, rays first shifted so that their half heights meet.

    Only rays count whose outer 2 mm lie in the HU range `outside` and whose inner 2 mm lie `least_step` HU above them;
    shifting makes up for a mask that lies a little beside the edge. NaN for fewer than 30 such rays.
    """
    end = round(2 / _STEP_MM)
    inner, outer = profiles[:, :end].mean(1), profiles[:, -end:].mean(1)
    fit = (outer > outside[0]) & (outer < outside[1]) & (inner - outer > least_step)
    height = (profiles[fit] - outer[fit, None]) / (inner - outer)[fit, None]
    aligned = [shifted for row in height if (shifted := _centered(row)) is not None]
    if len(aligned) < 30:
        return np.nan
    mean = np.median(aligned, 0)
    middle = len(mean) // 2
    return _crossing(mean, 0.1, middle) - _crossing(mean, 0.9, middle)


def _signed_distance(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    return outside - ndimage.distance_transform_edt(mask, sampling=spacing)


def _centered(row: np.ndarray) -> np.ndarray | None:
    """The middle half of a falling profile around its half height nearest to the surface; None if too far off."""
    crossings = np.flatnonzero((row[:-1] >= 0.5) & (row[1:] < 0.5))
    if not len(crossings):
        return None
    index = crossings[np.abs(crossings - len(row) // 2).argmin()]
    center = index + (row[index] - 0.5) / (row[index] - row[index + 1])
    half = len(row) // 4
    if not half <= center <= len(row) - 1 - half:
        return None
    return np.interp(center + np.arange(-half, half + 1), np.arange(len(row)), row)


def _crossing(profile: np.ndarray, level: float, start: int) -> float:
    """Position in mm where a falling profile passes `level`, searched outwards from `start`; its end if it does not."""
    step = 1 if level < 0.5 else -1
    index = start
    while 0 < index < len(profile) - 1 and (profile[index] - level) * step > 0:
        index += step
    a, b = profile[index - step], profile[index]
    part = (a - level) / (a - b) if a != b else 0.0
    return (index - step + step * float(np.clip(part, 0, 1))) * _STEP_MM
