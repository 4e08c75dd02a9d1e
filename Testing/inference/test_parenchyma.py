"""What is darker than a kidney's own parenchyma: worked examples, and when nothing is to be said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from KidneyParsingLib.inference.parenchyma import lesion_log_odds

MM3 = 8.0
DARK, DARKEST, THIN = (slice(8, 14),) * 3, (slice(16, 22),) * 3, (slice(2, 4), slice(None), slice(12, 13))


def a_kidney(level: float = 150.0) -> np.ndarray:
    """Parenchyma of `level` HU, a part that is 40 HU darker, one that is 130 HU darker, and a dark sheet of a voxel."""
    hu = np.full((24, 24, 24), level, np.float32)
    for window, darker in ((DARK, 40), (DARKEST, 130), (THIN, 90)):
        hu[window] -= darker
    return hu


def everywhere(p: float = 0.9) -> np.ndarray:
    return np.full((24, 24, 24), p, np.float32)


def test_a_worked_example() -> None:
    """Without noise the spread counts as 10 HU: 40 HU are 4 of it, 3 from the first on, 1.5 in log odds; 130 HU are as
    many as count, 4, so 2."""
    odds = lesion_log_odds(a_kidney(), everywhere(), MM3)
    assert odds[DARK] == pytest.approx(1.5) and odds[DARKEST] == pytest.approx(2.0)
    rest = np.ones(odds.shape, bool)
    rest[DARK] = rest[DARKEST] = False
    assert not odds[rest].any()


def test_noise_counts_by_its_standard_deviation() -> None:
    """With noise of 25 HU a part that is 110 HU darker is 4.4 deviations darker: 3.4 from the first on, 1.7 in log
    odds. Against scipy's closing."""
    rng = np.random.default_rng(0)
    hu = (150 + 25 * rng.standard_normal((24, 24, 24))).astype(np.float32)
    hu[DARK] = 40
    sure = everywhere()
    sure[DARK] = 0.1
    expected = 0.5 * np.clip((150 - ndimage.grey_closing(hu, size=3)) / 25 - 1, 0, 4)
    inside = (slice(1, -1),) * 3
    assert lesion_log_odds(hu, sure, MM3)[inside] == pytest.approx(expected[inside], abs=0.1)
    assert expected[11, 11, 11] == pytest.approx(1.7)


def test_neither_a_kidney_s_rim_nor_its_medulla_is_a_lesion() -> None:
    """A ball of cortex of 200 HU in fat, its rim half fat; a third of it is medulla of 110 HU."""
    z, y, x = np.ogrid[:24, :24, :24]
    distance = np.sqrt((z - 12) ** 2 + (y - 12) ** 2 + (x - 12) ** 2)
    hu = np.where(distance < 9, np.where((x // 3 + y // 3) % 3 == 0, 110, 200), -100).astype(np.float32)
    hu[(distance >= 9) & (distance < 10)] = 50
    assert not lesion_log_odds(hu, (distance < 9).astype(np.float32), MM3)[distance < 11].any()


@pytest.mark.parametrize(
    ("level", "sure", "mm3"), [(60.0, 0.9, MM3), (150.0, 0.7, MM3), (150.0, 0.9, 0.2)], ids=["plain", "unsure", "few"]
)
def test_nothing_is_said_without_contrast_or_a_kidney_that_is_known(level: float, sure: float, mm3: float) -> None:
    assert not lesion_log_odds(a_kidney(level), everywhere(sure), mm3).any()


def test_a_part_of_the_kidney_that_is_brighter_is_no_lesion() -> None:
    hu = a_kidney()
    hu[DARK] = 300
    assert not lesion_log_odds(hu, everywhere(), MM3)[DARK].any()
