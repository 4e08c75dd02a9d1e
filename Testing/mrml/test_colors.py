"""Structures stay apart for colour-blind viewers, and keep the hues of surgery.

Colour-blindness as Machado, Oliveira and Fernandes simulate it (2009, 10.1109/TVCG.2009.113), complete protanopia,
deuteranopia and tritanopia; distances are CIE 1976 L*a*b* of the colours as set, on an sRGB screen.
"""

from __future__ import annotations

import colorsys
from itertools import combinations

import numpy as np
import pytest

from KidneyParsingLib.anatomy import STRUCTURES, structure

# Matrices of the paper's severity 1.0, for linear RGB.
MATRICES = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
LEAST_DISTANCE = 30.0


def linear(color):
    values = np.array(color) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(linear_rgb):
    ratios = SRGB_TO_XYZ @ np.clip(linear_rgb, 0, 1) / SRGB_TO_XYZ.sum(axis=1)
    x, y, z = np.where(ratios > (6 / 29) ** 3, np.cbrt(ratios), ratios / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(a, b, vision):
    seen = [lab(np.array(MATRICES[vision]) @ linear(structure(name).color)) for name in (a, b)]
    return np.linalg.norm(seen[0] - seen[1])


def test_lab_of_known_colors():
    np.testing.assert_allclose(lab(linear((255, 255, 255))), (100, 0, 0), atol=0.01)
    np.testing.assert_allclose(lab(linear((255, 0, 0))), (53.24, 80.09, 67.20), atol=0.02)


def test_the_matrices_leave_gray_as_it_is():
    for matrix in MATRICES.values():
        np.testing.assert_allclose(np.array(matrix) @ np.ones(3), np.ones(3), atol=1e-5)


@pytest.mark.parametrize("vision", MATRICES)
def test_every_two_structures_look_different(vision):
    names = [entry.name for entry in STRUCTURES]
    close = {pair: d for pair in combinations(names, 2) if (d := distance(*pair, vision)) < LEAST_DISTANCE}
    assert not close


def test_hues_are_those_of_surgery():
    hues = {e.name: 360 * colorsys.rgb_to_hsv(*(channel / 255 for channel in e.color))[0] for e in STRUCTURES}
    assert hues["artery"] < 15 or hues["artery"] > 345
    assert 195 <= hues["vein"] <= 245
    assert 45 <= hues["ureter"] <= 65
    assert hues["kidney"] < 35
