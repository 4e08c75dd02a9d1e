"""From the stamped progress lines of a run to seconds by phase."""

from __future__ import annotations

import json
from collections.abc import Iterable

START = "start"
# Key and title of every phase, in the order of a run.
PHASES = {
    START: "start",
    "read": "read",
    "locate": "resample in, locate",
    "network": "network",
    "labels": "logits to labels",
    "write": "write",
}
# The first word of a phase that the engine or the program names.
_PHASE_OF_WORD = {
    "reading": "read",
    "loading": START,
    "locating": "locate",
    "parsing": "network",
    "bringing": "labels",
    "cleaning": "labels",
    "done": "labels",
    "writing": "write",
}


def progress_marks(lines: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    """Second and name of every progress line among the lines (second, text) of `segment --json-progress`."""
    found = ((second, _progress_phase(text)) for second, text in lines)
    return [(second, name) for second, name in found if name is not None]


def phase_seconds(marks: Iterable[tuple[float, str]], total: float) -> dict[str, float]:
    """Seconds by phase of a run of `total` seconds from the second at which each name was told.

    What comes before the first name is the start; a name that is not known belongs to the phase before it.
    """
    seconds = dict.fromkeys(PHASES, 0.0)
    phase, since = START, 0.0
    for second, name in marks:
        seconds[phase] += second - since
        phase, since = _PHASE_OF_WORD.get(name.partition(" ")[0].lower(), phase), second
    seconds[phase] += total - since
    return seconds


def _progress_phase(text: str) -> str | None:
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return str(record["phase"]) if isinstance(record, dict) and record.get("type") == "progress" else None
