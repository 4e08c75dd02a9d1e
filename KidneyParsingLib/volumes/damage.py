"""The error for files that cannot be read to their end."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..sentences import texts_of

_ = texts_of(__name__)


def damaged(path: Path) -> InputError:
    """The error for a file that cannot be read to its end."""
    return InputError(
        _("The file {path} is damaged or incomplete; copy, download or export it again.").format(path=path)
    )
