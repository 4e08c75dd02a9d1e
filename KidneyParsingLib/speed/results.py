"""All that was measured, in one JSON file that is written after every run, so that nothing is measured twice."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from ..errors import InputError

FILE_NAME = "results.json"
_SAME_MACHINE = ("cpu", "cores")


class Results:
    """`data` with: settings, machine, network (arithmetic), rounds (a list of runs by row), ceiling (a list of GFLOP/s
    by library), export (a list of measurements by method), agreement (by row), scaling (by point) and the
    first runs' seconds (by row)."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self._path = path
        self.data = data

    @classmethod
    def opened(cls, folder: Path, settings: dict, machine: dict) -> Results:
        """What a folder holds so far. Raises InputError if it was measured with other settings or elsewhere."""
        path = folder / FILE_NAME
        empty = {"rounds": [], "ceiling": [], "export": [], "agreement": {}, "scaling": {}, "network": {}, "first": {}}
        if not path.exists():
            return cls(path, {"settings": settings, "machine": machine, **empty})
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["settings"] != settings:
            raise InputError(f"{path} was measured with other settings; give those again, or choose another --out.")
        if any(data["machine"][key] != machine[key] for key in _SAME_MACHINE):
            raise InputError(f"{path} was measured on another machine; choose another --out.")
        data["machine"] |= machine
        return cls(path, empty | data)

    def save(self) -> None:
        """Write the file, whole or not at all."""
        unfinished = self._path.with_suffix(".part")
        unfinished.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self._path)

    def round_of(self, index: int, section: str = "rounds") -> dict[str, Any]:
        """The measurements of one round (0, 1, ...) of a section, to be added to."""
        entries = self.data[section]
        while len(entries) <= index:
            entries.append({})
        return entries[index]


def runs_of(data: dict, key: str, section: str = "rounds") -> list[dict]:
    """The runs of a row in all rounds."""
    return [entry[key] for entry in data[section] if key in entry]


def middle(data: dict, key: str, value: str, section: str = "rounds") -> float | None:
    """The median over rounds of a value of a row's runs; None if nothing was measured."""
    values = [run[value] for run in runs_of(data, key, section) if run.get(value) is not None]
    return median(values) if values else None


def middle_phase(data: dict, key: str, phase: str) -> float | None:
    """The median over rounds of a phase's seconds of a row."""
    values = [run["phases"].get(phase, 0.0) for run in runs_of(data, key)]
    return median(values) if values else None


def ratio(data: dict, peer: str, key: str, section: str = "rounds") -> float | None:
    """How many times as long a peer takes as a row, of medians; None if one of them is not there."""
    theirs, ours = middle(data, peer, "seconds", section), middle(data, key, "seconds", section)
    return theirs / ours if theirs is not None and ours else None


def best_gflops(data: dict) -> float | None:
    """The machine's ceiling: the fastest convolution of all rounds and libraries."""
    values = [value for entry in data["ceiling"] for value in entry.values()]
    return max(values) if values else None


def network_gflops(data: dict, key: str) -> tuple[int, float] | None:
    """Windows of a row, and GFLOP/s of its network phase; None if its windows are not known."""
    windows, seconds = middle(data, key, "windows"), middle_phase(data, key, "network")
    if not windows or not seconds:
        return None
    return int(windows), windows * data["network"]["gflop_per_window"] / seconds
