"""Folders for unfinished results, which whoever comes next removes if their process was killed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

_PREFIX = ".kidneyparsing-"
# The computer, as others may write to the same network folder, then the process.
_NAME = re.compile(re.escape(_PREFIX) + r"([0-9a-f]{8})-([0-9]+)-.*")


def make_scratch_folder(folder: Path) -> Path:
    """A new folder in `folder` that is known as this process's."""
    # A folder, not a file: also what a writer leaves beside its file when killed half-way goes with it.
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{_computer()}-{os.getpid()}-", dir=folder))


def remove_abandoned(folder: Path) -> None:
    """Remove from `folder` the scratch folders of this computer's processes that are gone."""
    try:
        paths = [Path(entry.path) for entry in os.scandir(folder) if entry.name.startswith(_PREFIX)]
    except OSError:
        return
    for path in paths:
        match = _NAME.fullmatch(path.name)
        if match and match[1] == _computer() and not _is_alive(int(match[2])):
            shutil.rmtree(path, ignore_errors=True)


def _computer() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _is_alive(pid: int) -> bool:
    """Whether there is such a process; True where that cannot be known."""
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _is_alive_on_windows(pid: int) -> bool:
    # os.kill would end the process here.
    import ctypes

    query, still_active, no_such_process = 0x1000, 259, 87
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(query, False, pid)
    if not handle:
        return ctypes.get_last_error() != no_such_process
    code = ctypes.c_ulong()
    known = kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(code))
    kernel.CloseHandle(ctypes.c_void_p(handle))
    return not known or code.value == still_active
