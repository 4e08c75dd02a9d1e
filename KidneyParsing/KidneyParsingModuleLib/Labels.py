"""Labels that take no room while they have nothing to say."""

from __future__ import annotations

import qt


def showText(label: qt.QLabel, text: str) -> None:
    """Show the text, or hide the label if it is empty."""
    label.setText(text)
    label.setVisible(bool(text))
