"""Where the library KidneyParsingLib lies."""

from __future__ import annotations

import sys
from pathlib import Path

LIBRARY_NAME = "KidneyParsingLib"
_MODULE_FOLDER = Path(__file__).resolve().parents[1]


def libraryParentFolder() -> Path:
    """The folder that holds KidneyParsingLib: the module's own when installed, the one above in a checkout."""
    for folder in (_MODULE_FOLDER, _MODULE_FOLDER.parent):
        if (folder / LIBRARY_NAME / "__init__.py").is_file():
            return folder
    raise RuntimeError(f"{LIBRARY_NAME} is missing beside {_MODULE_FOLDER}; install the extension again.")


def addLibraryToPath() -> None:
    """Make `import KidneyParsingLib` find the library that belongs to this module. Imports nothing."""
    folder = str(libraryParentFolder())
    if folder not in sys.path:
        # First, so that an older copy in site-packages does not win.
        sys.path.insert(0, folder)
