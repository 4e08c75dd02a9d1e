"""How many CPU threads a run may use."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

from .errors import InputError

_OPENMP = "OMP_NUM_THREADS"
_TOPOLOGY = Path("/sys/devices/system/cpu")
_asked: int | None = None


def check_threads(count: int | None) -> None:
    """Raise InputError unless this is None (all cores but one) or at least 1."""
    if count is not None and count < 1:
        raise InputError(f"A run cannot use {count} threads; ask for 1 or more.")


def use_threads(count: int | None) -> None:
    """Let networks use so many threads on the calling thread and on those that begin later; None: all cores but one."""
    global _asked
    _asked = count or _all_but_one()
    tell_torch()


def tell_torch() -> None:
    """Let torch, where it is loaded, use as many threads as were asked for."""
    if _asked is not None and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(_asked)


def thread_count() -> int | None:
    """How many threads were asked for, here or by the environment; None if nobody did: what computes decides."""
    return _asked or _by_environment()


def _by_environment() -> int | None:
    wanted = os.environ.get(_OPENMP, "")
    return int(wanted) if wanted.isdigit() and int(wanted) else None


@cache
def _all_but_one() -> int:
    """One thread less than there are cores, at least one, unless the environment says how many."""
    # A run that holds every core makes Slicer's window stutter, which feels like the freeze this process avoids.
    return _by_environment() or max(1, min(_cores(_TOPOLOGY), (os.cpu_count() or 2) - 1))


def _cores(topology: Path) -> int:
    """The processor's cores; on systems that do not tell them from threads, these."""
    siblings = {path.read_text(encoding="utf-8") for path in topology.glob("cpu[0-9]*/topology/thread_siblings_list")}
    return len(siblings) or os.cpu_count() or 1
