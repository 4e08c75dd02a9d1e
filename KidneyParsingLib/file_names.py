"""File names that hold any letter, on Windows too."""

from __future__ import annotations

import locale
import sys
from contextlib import suppress


def allow_any_file_name() -> None:
    """Let ITK open files whose names, or whose user's folder, hold letters that this Windows' language lacks.

    ITK passes names as UTF-8 to the C library, which reads them in the encoding of its locale (SimpleITK's FAQ,
    "non-ASCII file names"). Only that of letters is set: numbers in headers keep their point. Holds for the whole
    process; elsewhere than on Windows nothing is done.
    """
    if sys.platform == "win32":
        with suppress(locale.Error):  # before Windows 10, version 1803
            locale.setlocale(locale.LC_CTYPE, ".UTF-8")
