"""How a made patient is built: lean or obese, muscular or not, full or empty bowel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Habitus:
    """Build of one patient, from very lean to obese; all ranges are our choice.

    `belly` stretches what lies before the great vessels, `perirenal_mm` is fat kept around the kidneys, `muscle` shifts
    muscle surfaces (0.1 is about 1 mm), `streaks` is the share of fat in muscle, `bowel_fill` the share of the
    peritoneal cavity that small bowel takes.
    """

    subcutaneous_mm: float
    wall_mm: float
    belly: float
    perirenal_mm: float
    muscle: float
    streaks: float
    bowel_fill: float


def draw_habitus(rng: np.random.Generator) -> Habitus:
    """A random build."""
    fat = float(rng.beta(1.3, 1.5))
    visceral = float(np.clip(fat + rng.normal(0, 0.2), 0, 1))
    return Habitus(
        subcutaneous_mm=3 + rng.uniform(1, 6) + 45 * fat**1.4 * rng.uniform(0.5, 1.3),
        wall_mm=rng.uniform(4, 11),
        belly=1.05 + visceral * rng.uniform(0.1, 0.65),
        perirenal_mm=visceral**1.5 * rng.uniform(5, 24),
        muscle=rng.uniform(-0.18, 0.2),
        streaks=0.22 * rng.random() ** 2,
        bowel_fill=float(np.clip(0.92 - 0.55 * visceral + rng.normal(0, 0.08), 0.25, 0.95)),
    )
