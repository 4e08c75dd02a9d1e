"""`slicer.i18n`: texts in the language of the application, by Qt's translators, as Slicer finds them.

A text's context is its file's name after that of its package's folder; a translation whose gaps are not those of the
text is refused.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication


def translate(context: str, text: str) -> str:
    return QCoreApplication.translate(context, text)


def tr(text: str) -> str:
    path = Path(sys._getframe(1).f_code.co_filename)
    is_package = (path.parent / "__init__.py").is_file()
    found = translate(f"{path.parent.name}.{path.stem}" if is_package else path.stem, text)
    return found if _gaps(found) == _gaps(text) else text


def _gaps(text: str) -> set[str]:
    return set(re.findall(r"(?<!\{)\{([^{}]+)\}(?!\})", text))
