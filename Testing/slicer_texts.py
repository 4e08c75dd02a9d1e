"""How Slicer's tools find the texts that are translated (Utilities/Scripts/update_translations.py), in a few lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = (REPOSITORY / "KidneyParsing", REPOSITORY / "KidneyParsingLib")
# A text in quotes, or several, as the only thing within _( ): from the first quote to one of its kind before the ).
_CALL = re.compile(r"""(?<=[^_])_\((\s*(["']).+?\2\s*)\)""", re.DOTALL)


def python_files() -> list[Path]:
    """The files of module and library."""
    return sorted(path for folder in FOLDERS for path in folder.rglob("*.py"))


def context_of(path: Path) -> str:
    """The context of a file's texts: its name after that of its folder, if that is a package."""
    is_package = (path.parent / "__init__.py").is_file()
    return f"{path.parent.name}.{path.stem}" if is_package else path.stem


def found_by_slicer(source: str) -> list[str]:
    """The texts that Slicer finds in a file."""
    return [ast.literal_eval(f"({match[1]})") for match in _CALL.finditer(source)]


def for_lupdate(source: str, context: str) -> str:
    """A file as Slicer hands it to Qt's lupdate."""
    return _CALL.sub(lambda match: f'translate("{context}", {match[1]})', source)


def text_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls of `_`."""
    return (node for node in ast.walk(tree) if is_text_call(node))


def is_text_call(node: ast.AST) -> bool:
    """Whether this is a call of `_`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"
