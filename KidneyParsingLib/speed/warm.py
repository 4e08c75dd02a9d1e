"""`python -m KidneyParsingLib.speed.warm CT OUT`: the second run of a living engine; OUT.json holds its seconds."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from ..engine.client import EngineClient
from ..inference.options import Options
from .measuring import cores
from .phases import phase_seconds
from .rows import MODEL


def main(ct: str, output: str) -> None:
    """Run the engine once unmeasured, then once measured, in the same process."""
    with EngineClient(log=sys.stderr.write) as engine:
        engine.segment(ct, output, Options(model=MODEL), threads=cores())
        Path(f"{output}.json").write_text(json.dumps(_measured(engine, ct, output)), encoding="utf-8")


def _measured(engine: EngineClient, ct: str, output: str) -> dict:
    marks: list[tuple[float, str]] = []

    def note(fraction: float, phase: str) -> None:
        marks.append((time.perf_counter() - start, phase))

    cpu, start = _cpu_seconds(engine.pid), time.perf_counter()
    engine.segment(ct, output, Options(model=MODEL), note, cores())
    total = time.perf_counter() - start
    used = None if cpu is None else _cpu_seconds(engine.pid) - cpu
    return {"phases": phase_seconds(marks, total), "seconds": total, "cpu_seconds": used}


def _cpu_seconds(pid: int | None) -> float | None:
    """User and system seconds of a process so far; None where the system does not tell (not Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(*sys.argv[1:])
