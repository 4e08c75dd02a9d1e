"""Memory that malloc keeps for the next big block, and gives back when told to; in processes of their own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from KidneyParsingLib import allocator

# Touches blocks of 64 MiB, one after the other, as a network does with its maps.
PROGRAM = """
import ctypes, resource, sys
from KidneyParsingLib.allocator import give_back_memory, keep_freed_memory

MIB = 2**20
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes, libc.memset.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def touch():
    block = libc.malloc(64 * MIB)
    libc.memset(block, 1, 64 * MIB)
    libc.free(block)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident_mib():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / MIB

if sys.argv[1] == "tuned":
    assert keep_freed_memory()
touch()
before = faults()
for _ in range(4):
    touch()
after = faults()
held = resident_mib()
give_back_memory()
print(after - before, held - resident_mib())
"""


def run(setting: str) -> tuple[int, float]:
    """Page faults of the four blocks after the first, and MiB given back."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, setting], capture_output=True, text=True, check=True)
    faults, returned = done.stdout.split()
    return int(faults), float(returned)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_big_blocks_are_kept_for_the_next_and_given_back_when_told_to() -> None:
    (plain, _), (tuned, returned) = run("plain"), run("tuned")
    assert tuned < plain / 4
    assert returned > 60


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    assert not allocator.keep_freed_memory()
    allocator.give_back_memory()
    monkeypatch.setattr(allocator.sys, "platform", "linux")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    assert not allocator.keep_freed_memory()
    allocator.give_back_memory()
