"""The panel's keys. They work in every view while the module is open, and not in other modules.

Not Alt+Left and Alt+Right: on Windows and Linux these are the keys for the module before and after.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import qt

# By the name of the button that a key presses.
KEYS = {
    "applyButton": "Ctrl+Return",
    "clipCheckBox": "Alt+C",
    "previousPlaceButton": "Alt+P",
    "nextPlaceButton": "Alt+N",
    "acceptButton": "Alt+A",
    "needsWorkButton": "Alt+W",
}
VIEW_KEYS = "Alt+{number}"


def installShortcuts(ui: Any, panel: qt.QWidget) -> list[qt.QShortcut]:
    """Keys for the buttons of `ui`, also where their section is closed; they work while `panel` is on screen."""
    return [createShortcut(panel, keys, getattr(ui, name)) for name, keys in KEYS.items()]


def createShortcut(panel: qt.QWidget, keys: str, button: qt.QAbstractButton) -> qt.QShortcut:
    """A key that presses a button, which is told in the button's tooltip."""
    shortcut = qt.QShortcut(panel)
    shortcut.setKey(qt.QKeySequence(keys))
    # Of a widget that is hidden with its module, so that the whole window means this module only.
    shortcut.setContext(qt.Qt.WindowShortcut)
    shortcut.activated.connect(partial(_press, button))
    nameKey(button, keys)
    return shortcut


def nameKey(button: qt.QAbstractButton, keys: str) -> None:
    """Add a key to a button's tooltip, once."""
    tip = button.property("toolTip")
    if not tip.endswith(f"({keys})"):
        button.setToolTip(f"{tip} ({keys})")


def _press(button: qt.QAbstractButton) -> None:
    button.click()
