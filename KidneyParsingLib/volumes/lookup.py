"""Labels exchanged for others, by a table."""

from __future__ import annotations

import numpy as np


def exchanged(labels: np.ndarray, table: np.ndarray) -> np.ndarray:
    """uint8 labels of any shape, each exchanged for its entry in a uint8 table of at most 256.

    As `table[labels]`, which makes an index of 8 bytes a voxel, in a third of the time.
    """
    whole = np.zeros(256, np.uint8)
    whole[: len(table)] = table
    # bytearray: what comes out may be written to.
    return np.frombuffer(bytearray(labels.tobytes()).translate(whole.tobytes()), np.uint8).reshape(labels.shape)
