"""Seconds and peak memory of `kidneyparsing segment --render`, start-up included, as a Markdown table (Linux, macOS).

python Testing/benchmarks/time_and_memory.py CT [CT ...]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path


def measure(ct: str, folder: Path) -> tuple[float, float]:
    """Seconds and peak resident memory in GB of one run in a process of its own."""
    command = [sys.executable, "-m", "KidneyParsingLib", "segment", ct]
    command += ["-o", str(folder / "result.seg.nrrd"), "--render", str(folder / "result.png")]
    started = time.monotonic()
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{ct} could not be segmented.")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.monotonic() - started, usage.ru_maxrss * unit / 1e9


def main() -> None:
    """Measure every CT named on the command line."""
    print("| CT | seconds | peak GB |\n|---|---|---|")
    for ct in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            seconds, peak = measure(ct, Path(folder))
        print(f"| {Path(ct).name} | {seconds:.1f} | {peak:.1f} |")


if __name__ == "__main__":
    main()
