"""The fixed synthetic splits: 60 scans to test on and 30 to choose by, in every phase and slice thickness alike.

No training sees their seeds. The test scans also have kidneys of their own, from cases that are held out.
"""

from __future__ import annotations

from ...errors import InputError
from ..look.appearance import PHASES
from .scan import ScanPlan
from .scan_geometry import SLICE_MM

FIRST_RESERVED_SEED = 800_000
_FIRST_TEST_SEED, _FIRST_VALIDATION_SEED = 900_001, 800_001
_TEST_SCANS, _VALIDATION_SCANS = 60, 30


def _plan(first_seed: int, index: int) -> ScanPlan:
    """As the numbers of phases and of slice classes have no common divisor, every run of their product has each pair
    once."""
    slices = tuple(SLICE_MM)[index % len(SLICE_MM)]
    return ScanPlan.drawn(first_seed + index, PHASES[index % len(PHASES)], slices)


# In this order its first n scans are as balanced as n allows.
TEST_SPLIT: tuple[ScanPlan, ...] = tuple(_plan(_FIRST_TEST_SEED, index) for index in range(_TEST_SCANS))
VALIDATION_SPLIT: tuple[ScanPlan, ...] = tuple(
    _plan(_FIRST_VALIDATION_SEED, index) for index in range(_VALIDATION_SCANS)
)


def check_training_seeds(seeds: range) -> None:
    """Raises InputError if a seed is reserved for the splits."""
    if len(seeds) and max(seeds) >= FIRST_RESERVED_SEED:
        raise InputError(
            f"Seeds from {FIRST_RESERVED_SEED} on are kept for validation and test scans; give a lower --seed."
        )
