"""Labels are exchanged as numpy's own indexing does it."""

from __future__ import annotations

import numpy as np
import pytest

from KidneyParsingLib.volumes.lookup import exchanged


@pytest.mark.parametrize("entries", [4, 256])
@pytest.mark.parametrize("turned", [False, True])
def test_every_label_becomes_its_entry(entries: int, turned: bool) -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(0, 256, entries, np.uint8)
    labels = rng.integers(0, entries, (5, 6, 7)).astype(np.uint8)
    labels = labels.transpose(2, 0, 1)[::-1] if turned else labels
    found = exchanged(labels, table)
    assert found.dtype == np.uint8 and np.array_equal(found, table[labels])
    found[0] = 1  # may be written to


def test_nothing_becomes_nothing() -> None:
    assert exchanged(np.zeros((0, 0, 0), np.uint8), np.zeros(2, np.uint8)).shape == (0, 0, 0)
