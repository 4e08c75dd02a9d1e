"""The fixed synthetic test split: 60 scans that no training sees, in every phase and slice thickness alike."""

from __future__ import annotations

from ...errors import InputError
from ..look.appearance import PHASES
from .scan import ScanPlan
from .scan_geometry import SLICE_MM

FIRST_RESERVED_SEED = 900_000
_FIRST_TEST_SEED = 900_001
_TEST_SCANS = 60


def _test_plan(index: int) -> ScanPlan:
    """As the numbers of phases and of slice classes have no common divisor, every run of their product has each pair
    once."""
    slices = tuple(SLICE_MM)[index % len(SLICE_MM)]
    return ScanPlan.drawn(_FIRST_TEST_SEED + index, PHASES[index % len(PHASES)], slices)


# In this order its first n scans are as balanced as n allows.
TEST_SPLIT: tuple[ScanPlan, ...] = tuple(_test_plan(index) for index in range(_TEST_SCANS))


def check_training_seeds(seeds: range) -> None:
    """Raises InputError if a seed is reserved for test scans."""
    if len(seeds) and max(seeds) >= FIRST_RESERVED_SEED:
        raise InputError(f"Seeds from {FIRST_RESERVED_SEED} on are kept for test scans; give a lower --seed.")
