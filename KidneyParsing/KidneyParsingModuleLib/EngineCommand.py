"""How the engine's child process is started from Slicer."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import qt
import slicer
from slicer.i18n import tr as _

from .LibraryPath import LIBRARY_NAME, libraryParentFolder


@dataclass(frozen=True)
class EngineCommand:
    """A program, its arguments and the environment it runs in."""

    program: str
    arguments: list[str]
    environment: qt.QProcessEnvironment


def engineCommand() -> EngineCommand:
    """The engine in Slicer's own Python. Raises RuntimeError if there is no PythonSlicer."""
    program = shutil.which("PythonSlicer")
    if not program:
        raise RuntimeError(_("PythonSlicer was not found; install Slicer again."))
    # Run by its path: the child must load the library of this module, whatever else is installed.
    main = libraryParentFolder() / LIBRARY_NAME / "engine" / "__main__.py"
    # The environment from before Slicer's start: PythonSlicer adds Slicer's paths itself.
    environment = slicer.app.startupEnvironment()
    environment.insert("PYTHONUTF8", "1")
    environment.insert("PYTHONUNBUFFERED", "1")
    return EngineCommand(program, [str(main)], environment)
