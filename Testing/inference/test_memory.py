"""Peak memory of parsing a scan of 512 x 512 x 1024 voxels stays below what docs/performance.md promises (Linux)."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from KidneyParsingLib.volumes.volume import Volume

GIB = 2**30
SHAPE = (1024, 512, 512)
# Run in a process of its own: the sample's patient in a scan of 0.78 x 0.78 x 1 mm, parsed.
CHILD = """
import sys
import numpy as np
from KidneyParsingLib.allocator import keep_freed_memory
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.volumes.volume import Volume

keep_freed_memory()
part, model, region, shape = np.load(sys.argv[1]), sys.argv[2], sys.argv[3], tuple(map(int, sys.argv[4:7]))
array = np.full(shape, -1024, np.int16)
start = [(n - k) // 2 for n, k in zip(shape, part.shape)]
array[tuple(slice(a, a + k) for a, k in zip(start, part.shape))] = part
volume = Volume(array, np.diag([0.78, 0.78, 1.0, 1.0]))
result = KidneyParser(Options(model, "cpu", region=region, backend="torch")).parse(volume)
assert "kidney" in {s.structure.name for s in result.segments}
# Not ru_maxrss, which begins at the parent's.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.fixture(scope="module")
def a_patient_file(sample_ct: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's voxels repeated to about 0.78 x 0.78 x 1 mm."""
    times = np.round(sample_ct.spacing[::-1] / (1.0, 0.78, 0.78)).astype(int)
    array = sample_ct.array
    for axis, count in enumerate(times):
        array = np.repeat(array, count, axis)
    path = tmp_path_factory.mktemp("memory") / "patient.npy"
    np.save(path, array[: SHAPE[0], : SHAPE[1], : SHAPE[2]])
    return path


@lru_cache
def peak_bytes(path: Path, model: str, region: str, shape: tuple[int, ...]) -> int:
    """Peak resident memory of a process that parses; fails if no kidney is found."""
    command = [sys.executable, "-c", CHILD, str(path), model, region, *map(str, shape)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    shown = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return int(shown.split()[-1]) * 1024


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux counts it")


@pytest.mark.parametrize(("model", "region"), [("ba_net", "auto"), ("plain_unet", "whole")])
def test_a_scan_of_a_thousand_slices_takes_less_than_2_gib(a_patient_file: Path, model: str, region: str) -> None:
    assert peak_bytes(a_patient_file, model, region, SHAPE) <= 2 * GIB


def test_a_larger_scan_takes_at_most_6_bytes_more_a_voxel(a_patient_file: Path) -> None:
    small, large = (384, 512, 512), SHAPE
    sizes = [peak_bytes(a_patient_file, "ba_net", "auto", shape) for shape in (small, large)]
    assert (sizes[1] - sizes[0]) / (np.prod(large) - np.prod(small)) <= 6
