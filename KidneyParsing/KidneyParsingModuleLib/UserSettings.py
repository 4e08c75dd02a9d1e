"""What the module remembers from one day to the next, in Slicer's settings."""

from __future__ import annotations

import qt
import slicer

GROUP = "KidneyParsing"


def recall(name: str) -> str:
    """The remembered text, empty if there is none."""
    return slicer.util.settingsValue(f"{GROUP}/{name}", "", converter=str)


def remember(name: str, value: str) -> None:
    """Keep a text for the next time."""
    qt.QSettings().setValue(f"{GROUP}/{name}", value)
