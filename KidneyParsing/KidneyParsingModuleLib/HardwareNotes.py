"""What a user should know about this computer before a run, found out without importing torch."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

GB = 1024**3
ENOUGH_MEMORY_GB = 8
ENOUGH_CARD_MEMORY_GB = 3
QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total,memory.free", "--format=csv,noheader,nounits")
QUERY_SECONDS = 5
# Which of the sizes in MEMORYSTATUSEX.
TOTAL, FREE = 0, 1
# The oldest drivers for CUDA 11, 12 and 13 (release notes of the CUDA toolkit), on Windows and elsewhere.
OLDEST_DRIVERS = {11: ("452.39", "450.80"), 12: ("528.33", "525.60"), 13: ("580.00", "580.65")}


@dataclass(frozen=True)
class GraphicsCard:
    """The first NVIDIA card of this computer; its memory in GB."""

    name: str
    driver: str
    totalGB: float
    freeGB: float


def hardwareNotes() -> list[str]:
    """Sentences about the graphics card, its driver and memory where they cost time or may end a run; none if all is
    well. Takes up to a second, as it asks the driver."""
    return notesFor(graphicsCard())


def notesFor(card: GraphicsCard | None) -> list[str]:
    """The same where the card is known already; takes no time."""
    # Macs have cards of their own, which need no word.
    cardNotes = [] if sys.platform == "darwin" else _cardNotes(card, torchBuild())
    return [*cardNotes, *_memoryNotes(totalMemoryGB())]


def graphicsCard() -> GraphicsCard | None:
    """The NVIDIA card that the driver names first; None without one, or where the driver does not answer."""
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        answer = subprocess.run(
            QUERY, capture_output=True, text=True, check=True, timeout=QUERY_SECONDS, creationflags=flags
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return cardOf(answer.stdout)


def cardOf(answer: str) -> GraphicsCard | None:
    """The first card in the driver's answer to QUERY; None if there is none in it."""
    try:
        name, driver, total, free = answer.splitlines()[0].split(", ")
        return GraphicsCard(name, driver, float(total) / 1024, float(free) / 1024)
    except (ValueError, IndexError):
        return None


def torchBuild() -> str:
    """What the installed torch was built for, such as cpu or cu126; empty if there is none or it does not say."""
    try:
        return importlib.metadata.version("torch").partition("+")[2]
    except importlib.metadata.PackageNotFoundError:
        return ""


def totalMemoryGB() -> float | None:
    """This computer's memory; None where the system does not tell."""
    if sys.platform == "win32":
        return _windowsMemoryGB(TOTAL)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    except (ValueError, OSError):
        return None


def freeMemoryGB() -> float | None:
    """What programs can still have of it; None where the system does not tell (macOS)."""
    if sys.platform == "win32":
        return _windowsMemoryGB(FREE)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) * 1024 / GB
    except (OSError, StopIteration, ValueError, LookupError):
        return None


def _cardNotes(card: GraphicsCard | None, build: str) -> list[str]:
    if card is None:
        return [_("No NVIDIA graphics card was found: the processor computes, which takes longer.")]
    cuda = re.fullmatch(r"cu(\d\d)\d+", build)
    needed = OLDEST_DRIVERS.get(int(cuda[1]) if cuda else 12)
    oldest = needed[0 if sys.platform == "win32" else 1] if needed else "0"
    if _isOlder(card.driver, oldest):
        return [_oldDriverNote(card, oldest)]
    if build == "cpu":
        text = _(
            "The {name} is not used, as PyTorch was installed without support for it: uninstall PyTorch in the module "
            "PyTorch Utils, restart Slicer and press Apply."
        )
        return [text.format(name=card.name)]
    if card.freeGB < ENOUGH_CARD_MEMORY_GB:
        text = _(
            "Only {free:.1f} GB of memory are free on the {name}: close other programs that use it; where it is too "
            "little, a run goes on with the processor."
        )
        return [text.format(free=card.freeGB, name=card.name)]
    return []


def _oldDriverNote(card: GraphicsCard, oldest: str) -> str:
    text = _(
        "The {name} is not used, as its driver {driver} is too old: install driver {oldest} or newer from NVIDIA; "
        "until then the processor computes."
    )
    return text.format(name=card.name, driver=card.driver, oldest=oldest)


def _memoryNotes(memoryGB: float | None) -> list[str]:
    if memoryGB is None or memoryGB >= ENOUGH_MEMORY_GB - 0.5:
        return []
    text = _(
        "This computer has {memory:.0f} GB of memory, which may be too little for a large CT: close other programs, "
        "choose the quality fast, or crop the CT to the kidneys."
    )
    return [text.format(memory=memoryGB)]


def _isOlder(driver: str, oldest: str) -> bool:
    return _numbers(driver) < _numbers(oldest)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _windowsMemoryGB(which: int) -> float | None:
    import ctypes

    class Status(ctypes.Structure):
        # MEMORYSTATUSEX of the Windows API: two 32-bit numbers, then seven of 64 bits.
        _fields_ = [("length", ctypes.c_uint32), ("load", ctypes.c_uint32), ("sizes", ctypes.c_uint64 * 7)]

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return status.sizes[which] / GB
