"""How many CPU threads a run may use."""

from __future__ import annotations

import os
from functools import cache

from ..errors import InputError


def check_threads(count: int | None) -> None:
    """Raise InputError unless this is None (all cores but one) or at least 1."""
    if count is not None and count < 1:
        raise InputError(f"A run cannot use {count} threads; ask for 1 or more.")


def use_threads(count: int | None) -> None:
    """Let torch use so many threads on the calling thread and on those that begin later; None: all cores but one."""
    import torch

    default = _default()
    torch.set_num_threads(count or default)


@cache
def _default() -> int:
    """One thread less than there are cores, at least one, unless the environment says how many."""
    import torch

    # A run that holds every core makes Slicer's window stutter, which feels like the freeze this process avoids.
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    return max(1, min(torch.get_num_threads(), (os.cpu_count() or 2) - 1))
