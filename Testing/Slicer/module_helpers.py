"""Imports helper files of the Slicer module that need of Slicer no more than its translations."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "KidneyParsing"
REQUIREMENTS = str(MODULE_FOLDER / "Resources" / "requirements.txt")


def import_helper(name: str) -> types.ModuleType:
    """The module KidneyParsingModuleLib.`name`, with texts that stay untranslated."""
    import slicer

    if not hasattr(slicer, "i18n"):
        slicer.i18n = types.ModuleType("slicer.i18n")
        slicer.i18n.tr = lambda text: text
        sys.modules["slicer.i18n"] = slicer.i18n
    if str(MODULE_FOLDER) not in sys.path:
        sys.path.insert(0, str(MODULE_FOLDER))
    return importlib.import_module(f"KidneyParsingModuleLib.{name}")
