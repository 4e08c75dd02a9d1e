"""How a contrast bolus enhances one patient: all tissues from one bolus, so that they fit each other.

Every tissue's enhancement over time is a first pass (a gamma variate) plus what comes from the contrast that is mixed
with the blood and leaves it slowly. The constants were set by us so that the curves meet the values cited in
docs/appearance.md; cardiac output stretches time and thins the first pass, dose and tube voltage scale everything
(Bae, Radiology 2010, 10.1148/radiol.10090908).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..tissues import NUM_TISSUES, Tissue
from .hu_tables import ENHANCED_HU, PHASES, PLAIN_HU

# Seconds from the start of injection.
_TIMES = {"arterial": (20, 36), "corticomedullary": (33, 56), "portal": (62, 125), "excretory": (200, 900)}
_KVP = (80, 100, 110, 120, 130, 140)
_KVP_SHARES = (0.05, 0.2, 0.05, 0.55, 0.05, 0.1)
_FATTY_LIVER_SHARE = 0.12


@dataclass(frozen=True)
class Bolus:
    """One injection as a patient and a scanner see it: `time_s` from its start to the scan, `dose` iodine per body
    weight (1: 0.5 g/kg), `output` cardiac output (1: normal), `medulla_s` when half of the medulla's enhancement is
    reached, `function` of the kidneys (1: normal)."""

    time_s: float
    dose: float
    output: float
    kvp: int
    medulla_s: float
    function: float

    @property
    def iodine(self) -> float:
        """HU per HU at 120 kVp, times the dose: iodine gains contrast as the tube voltage falls."""
        return self.dose * (120 / self.kvp) ** 1.2


@dataclass(frozen=True)
class TumorKind:
    """Enhancement of a kind of renal tumor: HU of its first pass, its share of the mixed blood's enhancement, and the
    range of its patches' standard deviation when fully enhanced, HU."""

    name: str
    share: float
    first_pass: float
    mixed: float
    patchiness: tuple[float, float]


TUMOR_KINDS = (
    TumorKind("clear cell", 0.52, 92, 0.75, (12, 42)),
    TumorKind("papillary", 0.17, 4, 0.30, (3, 10)),
    TumorKind("chromophobe", 0.10, 42, 0.45, (3, 12)),
    TumorKind("oncocytoma", 0.11, 75, 0.60, (5, 16)),
    TumorKind("hypovascular", 0.10, 16, 0.35, (5, 18)),
)


@dataclass(frozen=True)
class VeinHU:
    """Mean HU of the blood below the renal veins, in them, and above them where both have mixed."""

    infrarenal: float
    renal: float
    suprarenal: float

    @classmethod
    def mixed(cls, infrarenal: float, renal: float, share: float) -> VeinHU:
        """Blood of which `share` (0 to 1) comes from the renal veins where it is mixed."""
        return cls(float(infrarenal), float(renal), float(infrarenal + share * (renal - infrarenal)))


def draw_tumor_kind(rng: np.random.Generator) -> TumorKind:
    """A kind of `TUMOR_KINDS`, by their shares."""
    shares = np.array([kind.share for kind in TUMOR_KINDS])
    return TUMOR_KINDS[rng.choice(len(TUMOR_KINDS), p=shares / shares.sum())]


def draw_bolus(rng: np.random.Generator, phase: str) -> Bolus:
    """A bolus scanned in `phase`, which is not "none"."""
    low, high = _TIMES[phase]
    return Bolus(
        time_s=float(np.exp(rng.uniform(np.log(low), np.log(high)))),
        dose=float(rng.uniform(0.5, 1.25)),
        output=float(np.exp(rng.normal(0, 0.16))),
        kvp=int(rng.choice(_KVP, p=_KVP_SHARES)),
        medulla_s=float(np.clip(rng.normal(52, 5), 40, 66)),
        function=float(rng.uniform(0.45, 0.85) if rng.random() < 0.15 else rng.uniform(0.85, 1.1)),
    )


def _first_pass(t: float, arrival: float, peak: float, shape: float) -> float:
    """Gamma variate of height 1 at `peak` seconds, 0 before `arrival`."""
    x = (t - arrival) / (peak - arrival)
    return x**shape * math.exp(shape * (1 - x)) if x > 0 else 0.0


def _rise(t: float, middle: float, width: float) -> float:
    return 1 / (1 + math.exp(-min(max((t - middle) / width, -50), 50)))


def _fall(t: float, start: float, fast_s: float, slow_s: float = 1800) -> float:
    late = max(0.0, t - start)
    return 0.5 * math.exp(-late / fast_s) + 0.5 * math.exp(-late / slow_s)


def _mixed(t: float) -> float:
    """Enhancement of blood by contrast that has passed the heart before, HU."""
    return 118 * max(0.0, 1 - math.exp(-(t - 15) / 15)) * _fall(t, 60, 180) if t > 15 else 0.0


def enhancement(bolus: Bolus, tumor: TumorKind) -> dict[Tissue, float]:
    """Added HU of every tissue that enhances, without scatter; VEIN stands for the renal veins, OTHER_VEIN for veins
    of the legs."""
    t, thin = bolus.time_s * bolus.output, bolus.output**-0.8
    mixed, kidney = _mixed(t), bolus.function

    def wash(height: float, arrival: float, peak: float, shape: float = 2.5) -> float:
        return thin * height * _first_pass(t, arrival, peak, shape)

    artery = wash(255, 10, 28, 3) + mixed
    nephrogram = 150 * _fall(t, 110, 420) * kidney
    vein = 0.62 * (thin * 255 * _first_pass(t - 6, 10, 28, 3) + _mixed(t - 6))
    added = {
        Tissue.ARTERY: artery,
        Tissue.OTHER_ARTERY: artery,
        Tissue.HEART: 0.75 * artery,
        Tissue.CORTEX: wash(105, 11, 35) * kidney + nephrogram * max(0.0, 1 - math.exp(-(t - 18) / 16)),
        Tissue.MEDULLA: wash(26, 14, 38) + nephrogram * 1.03 * _rise(t, bolus.medulla_s / kidney**0.3, 7),
        Tissue.VEIN: max(vein, mixed * _rise(t, 60, 10)),
        Tissue.OTHER_VEIN: mixed * _rise(t, 84, 14),
        Tissue.PORTAL_VEIN: wash(45, 22, 58, 3) + mixed * _rise(t, 45, 7),
        Tissue.LIVER: wash(8, 13, 34) + 60 * _rise(t, 50, 8) * _fall(t, 85, 260),
        Tissue.SPLEEN: wash(55, 13, 34) + 0.68 * mixed,
        Tissue.PANCREAS: wash(38, 13, 38) + 0.4 * mixed,
        Tissue.BOWEL_WALL: wash(28, 15, 46) + 0.4 * mixed,
        Tissue.ADRENAL: wash(28, 13, 38) + 0.36 * mixed,
        Tissue.LYMPH_NODE: wash(12, 13, 38) + 0.42 * mixed,
        Tissue.MUSCLE: 0.14 * mixed * _rise(t, 45, 15),
        Tissue.SKIN: 0.12 * mixed,
        Tissue.MARROW: 0.12 * mixed,
        Tissue.NECROSIS: 0.05 * mixed,
        Tissue.TUMOR: wash(tumor.first_pass, 13, 38, 2.2) + tumor.mixed * mixed,
    }
    return {tissue: value * bolus.iodine for tissue, value in added.items()}


def plain_hu(rng: np.random.Generator, kvp: int = 120) -> np.ndarray:
    """float (NUM_TISSUES,) mean HU without contrast; fat falls and calcium rises with a lower tube voltage."""
    mean = np.zeros(NUM_TISSUES)
    for tissue, span in PLAIN_HU.items():
        mean[tissue] = rng.uniform(*span)
    mean[Tissue.MEDULLA] = mean[Tissue.CORTEX] + rng.uniform(-2, 2)
    mean[[Tissue.VEIN, Tissue.OTHER_ARTERY, Tissue.OTHER_VEIN, Tissue.PORTAL_VEIN]] = mean[Tissue.ARTERY]
    if rng.random() < _FATTY_LIVER_SHARE:
        mean[Tissue.LIVER] -= rng.uniform(10, 50)
    mean[Tissue.SPLEEN] = min(mean[Tissue.SPLEEN], max(45, mean[Tissue.LIVER] + 5))
    for tissue in (Tissue.FAT, Tissue.BONE, Tissue.MARROW, Tissue.PLAQUE, Tissue.STONE, Tissue.TUMOR_CALCIUM):
        mean[tissue] *= (120 / kvp) ** 0.6
    return mean


def bolus_hu(rng: np.random.Generator, bolus: Bolus, tumor: TumorKind) -> tuple[np.ndarray, VeinHU]:
    """Mean HU (NUM_TISSUES,) and the veins' of one patient after `bolus`, with scatter between tissues."""
    mean = plain_hu(rng, bolus.kvp)
    blood = mean[Tissue.VEIN]
    added = enhancement(bolus, tumor)
    scatter = {tissue: float(np.exp(rng.normal(0, 0.25 if tissue == Tissue.TUMOR else 0.1))) for tissue in added}
    scatter[Tissue.OTHER_ARTERY] = scatter[Tissue.ARTERY]
    if bolus.time_s > 150:
        scatter[Tissue.MEDULLA] = scatter[Tissue.CORTEX] * float(rng.uniform(0.95, 1.15))
    added = {tissue: value * scatter[tissue] for tissue, value in added.items()}
    legs, renal = added[Tissue.OTHER_VEIN], added[Tissue.VEIN]
    veins = VeinHU.mixed(blood + legs, blood + renal, rng.uniform(0.35, 0.65))
    # Veins that are background are hepatic, mesenteric and azygos ones: between the portal vein and the legs' veins.
    added[Tissue.OTHER_VEIN] += rng.uniform(0.4, 1) * (added[Tissue.PORTAL_VEIN] - legs)
    for tissue, value in added.items():
        mean[tissue] += value
    mean[Tissue.VEIN] = veins.suprarenal
    mean[Tissue.THROMBUS] += rng.uniform(0, 0.9) * added[Tissue.TUMOR] if rng.random() < 0.6 else 0
    _excrete(rng, mean, bolus)
    return mean, veins


def _excrete(rng: np.random.Generator, mean: np.ndarray, bolus: Bolus) -> None:
    """Contrast in urine: from about two minutes on, or in any phase after an earlier injection (split bolus)."""
    seconds = bolus.time_s - rng.uniform(110, 170)
    if rng.random() < 0.04:
        seconds = rng.uniform(100, 700)
    if seconds <= 0:
        return
    rate = 2.2 * np.exp(rng.normal(0, 0.6)) * bolus.function**2
    mean[Tissue.URINE] += min(1800.0, rate * seconds * bolus.iodine)
    mean[Tissue.BLADDER_URINE] += rng.choice((0.0, 0.1, 0.4)) * mean[Tissue.URINE]


def wide_hu(rng: np.random.Generator, phase: str) -> tuple[np.ndarray, VeinHU]:
    """Mean HU and the veins', every tissue on its own within wide ranges of the phase, enhancement weak to full."""
    mean = plain_hu(rng, int(rng.choice(_KVP, p=_KVP_SHARES)))
    if phase == "none":
        return mean, VeinHU.mixed(mean[Tissue.VEIN], mean[Tissue.VEIN], 0)
    blood, strength = mean[Tissue.VEIN], rng.uniform(0.45, 1.1)
    for tissue, spans in ENHANCED_HU.items():
        full = rng.uniform(*spans[PHASES.index(phase) - 1])
        mean[tissue] += strength * (full - mean[tissue])
    mean[Tissue.OTHER_ARTERY] = mean[Tissue.ARTERY]
    renal = mean[Tissue.VEIN]
    infrarenal = blood + rng.uniform(0.1, 1) * (renal - blood)
    return mean, VeinHU.mixed(infrarenal, renal, rng.uniform(0, 1))


def arbitrary_hu(rng: np.random.Generator) -> tuple[np.ndarray, VeinHU]:
    """Nearly arbitrary contrasts, as in SynthSeg (10.1016/j.media.2023.102789): soft tissue of any HU between water
    and full enhancement."""
    mean = plain_hu(rng)
    for tissue in ENHANCED_HU:
        mean[tissue] = rng.uniform(-10, 280)
    mean[Tissue.FAT] = rng.uniform(-140, -50)
    mean[Tissue.OTHER_ARTERY] = mean[Tissue.ARTERY] + rng.normal(0, 10)
    return mean, VeinHU.mixed(*(mean[Tissue.VEIN] + rng.normal(0, 20, 2)), rng.uniform(0, 1))
