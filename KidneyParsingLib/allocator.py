"""How the engine's process takes memory from the operating system and gives it back (Linux with glibc)."""

from __future__ import annotations

import ctypes
import sys

# mallopt's parameters, https://man7.org/linux/man-pages/man3/mallopt.3.html: big blocks come from the heap, not from
# mmap; the heap's free end is kept, and grows in steps of 64 MiB; all threads share one heap.
_SETTINGS = {
    "M_MMAP_MAX": (-4, 0),
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
    "M_TOP_PAD": (-2, 2**26),
    "M_ARENA_MAX": (-8, 1),
}


def keep_freed_memory() -> bool:
    """Let malloc keep what is freed; returns whether it does, which it cannot but with glibc.

    By its defaults glibc unmaps every big tensor when it is freed, and the next one is faulted in page by page, which
    takes up to half of the time of a network on a CPU. It holds for the whole process, so a program that others share
    must not call it. Call it before there are other threads, and `give_back_memory` when a piece of work is done.
    """
    libc = _glibc()
    return libc is not None and all([libc.mallopt(*setting) == 1 for setting in _SETTINGS.values()])


def give_back_memory() -> None:
    """Return to the operating system what malloc keeps and nobody uses; does nothing but with glibc."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    # Other C libraries, such as musl, lack mallopt or ignore it.
    return libc if hasattr(libc, "gnu_get_libc_version") else None
