"""What CONTRIBUTING.md and docs/architecture.md say of every file of the product."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "KidneyParsingLib"
MOST_LINES = 60
# A folder of the library, and those of which it must import nothing.
FORBIDDEN = {
    "networks": ("inference", "training", "synthesis", "evaluation", "engine", "commands"),
    "volumes": ("inference", "training", "synthesis", "evaluation", "engine", "commands"),
    "inference": ("training", "synthesis", "evaluation", "engine", "commands"),
}


def sources(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path, tree: ast.Module) -> Iterator[str]:
    """Full names of the modules that a file of the product imports, wherever it does."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join((*base, *((node.module,) if node.module else ())))
            yield from (".".join((*base, alias.name)) for alias in node.names if not node.module)


@pytest.mark.parametrize("folder", ["KidneyParsing", "KidneyParsingLib"])
def test_functions_are_short(folder: str) -> None:
    long = [
        f"{path.name}: {node.name}"
        for path, tree in sources(ROOT / folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > MOST_LINES
    ]
    assert not long


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_go_one_way(folder: str) -> None:
    wrong = [
        (path.name, name)
        for path, tree in sources(LIBRARY / folder)
        for name in imported(path, tree)
        if name.startswith(tuple(f"KidneyParsingLib.{other}" for other in FORBIDDEN[folder]))
    ]
    assert not wrong


def test_the_library_knows_no_user_interface() -> None:
    names = {name.split(".")[0] for path, tree in sources(LIBRARY) for name in imported(path, tree)}
    assert names.isdisjoint({"qt", "ctk", "PySide6", "PyQt5", "PyQt6"})
    assert "torch" in names  # else this test would look at nothing


def test_nothing_is_unpickled() -> None:
    calls = [
        f"{path.name}: {node.func.attr}"
        for path, tree in sources(LIBRARY)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("load", "loads")
        for name in [ast.unparse(node.func.value)]
        if name in ("torch", "pickle", "dill", "joblib")
    ]
    calls += [path.name for path, tree in sources(LIBRARY) if "pickle" in set(imported(path, tree))]
    assert not calls
