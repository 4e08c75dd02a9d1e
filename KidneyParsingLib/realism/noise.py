"""Noise of CT slices: local standard deviation, power spectrum, correlation between slices.

Images are (z, y, x) HU with square pixels of `spacing` mm in-plane. Spectra follow the usual definition (Siewerdsen et
al., Medical Physics 2002, 10.1118/1.1513158): plane-detrended windows, squared transform, mean over windows.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

WINDOW = 16
_MOST_WINDOWS = 200
_LOWEST_SHARE = 0.1
# 1.4826 makes the median absolute deviation a standard deviation, 9/8 gives back what a 3x3 mean takes of white noise.
_ROBUST = 1.4826 * np.sqrt(9 / 8)


def local_std(image: np.ndarray, mask: np.ndarray) -> float:
    """Robust standard deviation in HU of white noise in a mask: deviation from the mean of 3x3 pixels of the slice.

    Noise that is smooth over three pixels counts less. NaN if the mask holds fewer than 100 voxels.
    """
    rest = (image - ndimage.uniform_filter(image.astype(np.float32), (1, 3, 3)))[mask]
    return float(np.median(np.abs(rest)) * _ROBUST) if rest.size >= 100 else np.nan


def homogeneous_corners(image: np.ndarray, mask: np.ndarray, size: int = WINDOW) -> np.ndarray:
    """First voxels (k, 3) of the in-plane windows of `size` pixels within the mask that vary least, most even first.

    Windows lie on a grid of half their size; the tenth of lowest standard deviation is kept, at most 200.
    """
    corners = np.argwhere(mask[:, : -size + 1 : size // 2, : -size + 1 : size // 2])
    corners[:, 1:] *= size // 2
    inside = [c for c in corners if mask[c[0], c[1] : c[1] + size, c[2] : c[2] + size].all()]
    if not inside:
        return np.zeros((0, 3), int)
    corners = np.array(inside)
    order = np.argsort([window_at(image, c, size).std() for c in corners], kind="stable")
    return corners[order[: min(_MOST_WINDOWS, max(8, round(_LOWEST_SHARE * len(corners))))]]


def window_at(image: np.ndarray, corner: np.ndarray, size: int = WINDOW) -> np.ndarray:
    """The (size, size) window at a corner (z, y, x), less the plane fitted to it."""
    z, y, x = corner
    window = image[z, y : y + size, x : x + size].astype(float)
    ramp = np.arange(size) - (size - 1) / 2
    window = window - window.mean()
    slopes = (window * ramp[:, None]).sum(), (window * ramp).sum()
    return window - (slopes[0] * ramp[:, None] + slopes[1] * ramp) / (size * (ramp**2).sum())


def power_spectrum(windows: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Radial noise power spectrum of windows (k, n, n): frequencies in 1/mm and power normalised to sum 1.

    From two waves a window to Nyquist, in steps of one: detrending takes part of what has one wave or less.
    """
    size = windows.shape[-1]
    # A Hann taper keeps the strong low frequencies from leaking into the weak high ones.
    taper = np.hanning(size + 1)[:size]
    power = (np.abs(np.fft.fft2(windows * taper[:, None] * taper)) ** 2).mean(0)
    axis = np.fft.fftfreq(size)
    ring = np.round(np.hypot(axis[:, None], axis[None, :]) * size).astype(int)
    radial = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    kept = slice(2, size // 2 + 1)
    total = radial[kept].sum()
    return np.arange(2, size // 2 + 1) / (size * spacing), radial[kept] / (total if total > 0 else 1.0)


def mean_frequency(frequencies: np.ndarray, power: np.ndarray) -> float:
    """Mean of the frequency in 1/mm weighted with the radial power."""
    return float((frequencies * power).sum() / power.sum()) if power.sum() > 0 else np.nan


def slice_correlation(image: np.ndarray, corners: np.ndarray, size: int = WINDOW) -> float:
    """Median correlation of detrended windows with the same window one slice above; NaN without such a pair."""
    pairs = [(c, c + (1, 0, 0)) for c in corners if c[0] + 1 < len(image)]
    found = [_correlation(window_at(image, a, size), window_at(image, b, size)) for a, b in pairs]
    return float(np.nanmedian(found)) if found else np.nan


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else np.nan
