"""The error for files that cannot be read to their end."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError


def damaged(path: Path) -> InputError:
    """The error for a file that cannot be read to its end."""
    return InputError(f"The file {path} is damaged or incomplete; copy, download or export it again.")
