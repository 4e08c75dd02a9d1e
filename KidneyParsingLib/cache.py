"""Where things are kept that can be made again: measured speeds, networks in other formats."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

CACHE_VARIABLE = "KIDNEYPARSING_CACHE"


def cache_folder() -> Path:
    """The user's cache folder for this program, not yet made: what KIDNEYPARSING_CACHE names, or the system's usual
    place."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    try:
        return _usual_folder() / "kidneyparsing"
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir()) / "kidneyparsing"


def _usual_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def remembered(name: str) -> dict[str, Any]:
    """What was kept under a name; empty if nothing was, or it cannot be read."""
    try:
        record = json.loads((cache_folder() / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def remember(name: str, record: dict[str, Any]) -> None:
    """Keep a record under a name; where nothing can be written it is simply not kept."""
    path = cache_folder() / f"{name}.json"
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(record), encoding="utf-8")
        os.replace(unfinished, path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
