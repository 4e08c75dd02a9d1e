"""A program in a process of its own: wall and CPU seconds, peak memory, and when each line of its output came."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import KidneyParsingError

_PACKAGE = Path(__file__).resolve().parents[1]
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Measured:
    """`seconds` from start to exit, user and system `cpu_seconds` and `peak_gib` (resident set) of the process with its
    children, and the `lines` of its stdout with the second at which each came."""

    seconds: float
    cpu_seconds: float
    peak_gib: float
    lines: tuple[tuple[float, str], ...]


def cores() -> int:
    """How many cores every engine uses: all that this process may, or fewer where OMP_NUM_THREADS says so."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(usable, int(wanted)) if wanted.isdecimal() and int(wanted) else usable


def module_command(module: str, *arguments: object) -> list[str]:
    """The command line of a module of this package (`module` relative to it, empty for the program itself)."""
    name = ".".join(filter(None, (_PACKAGE.name, module)))
    return [sys.executable, "-m", name, *map(str, arguments)]


def cache_beside(weights: Path) -> Path:
    """The cache folder of runs with the weights in a folder."""
    return weights.with_name("cache")


def environment(weights: Path | None = None) -> dict[str, str]:
    """The environment of every run: equal cores for all, this package and, with `weights`, that folder of weights
    and a cache beside it, so that what the engine has learnt of this machine before does not count."""
    paths = [str(_PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    changed = {"OMP_NUM_THREADS": str(cores()), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if weights is not None:
        changed |= {"KIDNEYPARSING_WEIGHTS": str(weights), "KIDNEYPARSING_CACHE": str(cache_beside(weights))}
    return {**os.environ, **changed}


def measure(command: Sequence[str], variables: dict[str, str], log: Path) -> Measured:
    """Run a program to its end (POSIX only); its stderr is appended to `log`.

    Linux counts the caller's own memory at the start of a child as the child's, so the caller has to be small: it
    imports neither torch nor numpy. Raises KidneyParsingError if the program fails.
    """
    with log.open("ab") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=variables)
        try:
            lines = _stamped(process, start)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            _end(process)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise KidneyParsingError(f"{' '.join(command[2:])} failed; the end of {log} says why.")
    peak = usage.ru_maxrss * _MAXRSS_BYTES / 2**30
    return Measured(seconds, usage.ru_utime + usage.ru_stime, peak, lines)


def _stamped(process: subprocess.Popen[bytes], start: float) -> tuple[tuple[float, str], ...]:
    assert process.stdout is not None
    with process.stdout:
        return tuple((time.perf_counter() - start, line.decode(errors="replace")) for line in process.stdout)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        process.kill()
        process.wait()
