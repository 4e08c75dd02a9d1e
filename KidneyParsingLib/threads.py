"""How many CPU threads a run may use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from .errors import InputError
from .sentences import texts_of

_ = texts_of(__name__)

_OPENMP = "OMP_NUM_THREADS"
_TOPOLOGY = Path("/sys/devices/system/cpu")
# Of Apple's processors the fast cores only: a pass waits for its slowest thread.
_MAC_CORES = ("hw.perflevel0.physicalcpu", "hw.physicalcpu")
# More wait for memory and for Python's lock.
_MOST_PARTS = 8
_asked: int | None = None
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def check_threads(count: int | None) -> None:
    """Raise InputError unless this is None (see `use_threads`) or at least 1."""
    if count is not None and count < 1:
        raise InputError(_("A run cannot use {count} threads; ask for 1 or more.").format(count=count))


def use_threads(count: int | None) -> None:
    """Let networks and SimpleITK use so many threads on the calling thread and on those that begin later.

    None: what the environment says, else all cores, but at least one thread less than run at a time.
    """
    global _asked
    _asked = count or _by_environment() or _polite()
    tell_torch()
    import SimpleITK as sitk  # resampling and distance maps take all cores unless told

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(_asked)


def tell_torch() -> None:
    """Let torch, where it is loaded, use as many threads as were asked for."""
    if _asked is not None and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(_asked)


def thread_count() -> int:
    """How many threads were asked for, here or by the environment; else as many as there are cores."""
    return _asked or _by_environment() or cores()


def side_by_side(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """`work` done for each of the items, in their order, on as many threads as were asked for; pays for work on large
    arrays, which does without Python's lock."""
    with ThreadPoolExecutor(thread_count()) as pool:
        return list(pool.map(work, items))


def parts_of(count: int) -> list[range]:
    """`range(count)` in consecutive parts of about the same length, one for each thread."""
    parts = max(1, min(thread_count(), _MOST_PARTS, count))
    ends = [count * part // parts for part in range(parts + 1)]
    return [range(*pair) for pair in pairwise(ends)]


@cache
def cores() -> int:
    """The processor's cores that this process may use; where the system does not tell them from threads, these."""
    if sys.platform == "linux":
        return len(_siblings(_TOPOLOGY, os.sched_getaffinity(0)))
    if sys.platform == "darwin" and (counted := _mac_cores()):
        return counted
    return os.cpu_count() or 1


def _polite() -> int:
    """All cores, but at least one thread less than run at a time."""
    # A run that holds everything makes Slicer's window stutter, which feels like the freeze this process avoids.
    at_a_time = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 2
    return max(1, min(cores(), at_a_time - 1))


def _by_environment() -> int | None:
    wanted = os.environ.get(_OPENMP, "")
    return int(wanted) if wanted.isdecimal() and int(wanted) else None


def _siblings(topology: Path, cpus: set[int]) -> set[str]:
    """For every core its threads' numbers; for one that does not say, its own."""
    found = set()
    for cpu in cpus:
        threads = str(cpu)
        with suppress(OSError):
            threads = (topology / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text(encoding="utf-8")
        found.add(threads.strip())
    return found


def _mac_cores() -> int:
    for name in _MAC_CORES:
        with suppress(OSError, ValueError):
            counted = int(subprocess.run(["sysctl", "-n", name], capture_output=True, check=False, text=True).stdout)
            if counted:
                return counted
    return 0
