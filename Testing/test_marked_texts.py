"""Everything that the library can say in the module is marked for translators, in the way that Slicer's tools need."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from slicer_texts import REPOSITORY, context_of, found_by_slicer, is_text_call, python_files, text_calls

LIBRARY = REPOSITORY / "KidneyParsingLib"
# What the Slicer module reaches; the rest is the command line, training, benchmarks, made CT.
FOLDERS = ("volumes", "inference", "engine", "mrml", "networks")
REACHED = [
    *(path for folder in FOLDERS for path in sorted((LIBRARY / folder).rglob("*.py"))),
    *(LIBRARY / f"{name}.py" for name in ("anatomy", "review", "threads", "progress", "sentences", "errors")),
]
ERRORS = ("InputError", "KidneyParsingError", "OutOfMemoryError", "OutputExistsError", "MessageError")
# Files whose texts are for other programs, for developers, or drawn into pictures that only the command line makes.
FOR_OTHERS = {
    "volumes/dicom_seg.py", "volumes/mesh_files.py", "volumes/segmentation_header.py", "volumes/terminology.py",
    "mrml/render.py", "engine/schema.py",
}  # fmt: skip
ENGLISH = {
    # Nobody is told of what he did himself.
    "The run was cancelled.",
    # Words that other libraries use in errors.
    "allocate memory", "can't allocate memory", "not enough memory", "out of memory", "failed to allocate",
    # Errors of programmers, and one that only skips a file.
    "{} cannot be sent in a message", "TuNet has two maps, whole and tumor, not {}", "{} numbers expected, found {}",
    # Keys by which the module finds its own words.
    "no contrast", "needs work", "Collecting system",
    # Nodes of the scene.
    "KidneyParsing clip", "KidneyParsing clip plane", "Smoothing factor",
}  # fmt: skip
# Of papers.
REFERENCE = re.compile(r" (et al\.|and) .*\d{4}, ")


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_slicer_finds_every_marked_text() -> None:
    for path in python_files():
        calls = list(text_calls(tree_of(path)))
        for call in calls:
            is_literal = len(call.args) == 1 and not call.keywords and isinstance(call.args[0], ast.Constant)
            assert is_literal, (relative(path), ast.unparse(call))
        texts = [call.args[0].value for call in calls]
        assert sorted(found_by_slicer(path.read_text(encoding="utf-8"))) == sorted(texts), relative(path)


def test_translators_are_not_asked_for_texts_of_tests() -> None:
    for folder in ("Testing", "Utilities"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            assert found_by_slicer(path.read_text(encoding="utf-8")) == [], relative(path)


def test_gaps_have_names() -> None:
    for path in python_files():
        gaps = [gap for call in text_calls(tree_of(path)) for gap in re.findall(r"\{([^{}]*)\}", call.args[0].value)]
        assert all(re.match(r"[a-z]\w*", gap) for gap in gaps), (relative(path), gaps)


def test_sentences_have_the_context_under_which_slicer_stores_them() -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    speaking = [path for path in python_files() if LIBRARY in path.parents and any(text_calls(tree_of(path)))]
    for path in speaking:
        name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        make = vars(importlib.import_module(name))["_"]
        assert make("Anything.").context == context_of(path)
    assert {context_of(path) for path in speaking} > {"volumes.reading", "backends.choice", "KidneyParsingLib.review"}


def test_no_function_that_says_something_has_another_underscore() -> None:
    for path in python_files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.Lambda)) and any(text_calls(node)):
                names = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
                assert "_" not in {n.id for n in names}, (relative(path), node.lineno)


def test_errors_are_raised_with_marked_sentences() -> None:
    seen = 0
    for path in REACHED:
        tree = tree_of(path)
        made = marked_names(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                assert is_marked(node.args[0], made), (relative(path), ast.unparse(node))
                seen += 1
    assert seen > 70


def test_what_else_is_written_in_words_is_marked() -> None:
    for path in REACHED:
        if path.relative_to(LIBRARY).as_posix() not in FOR_OTHERS:
            words = [text for text in unmarked_texts(tree_of(path)) if re.search("[a-z]{2,} [a-z]{2,}", text)]
            assert {text for text in words if not REFERENCE.search(text)} <= ENGLISH, relative(path)


def test_phases_and_lines_for_the_log_are_marked() -> None:
    for path in REACHED:
        tree = tree_of(path)
        made = marked_names(tree)
        for node in ast.walk(tree):
            said = shown_by(node) if isinstance(node, ast.Call) else None
            assert said is None or is_marked(said, made), (relative(path), ast.unparse(node))


def shown_by(call: ast.Call) -> ast.expr | None:
    """What a call of `progress` or `_log` shows, and the phase of a `Step`, where it is written there."""
    name = ast.unparse(call.func).split(".")[-1]
    place = {"progress": 1, "Step": 0, "_log": 0}.get(name)
    if place is None or len(call.args) <= place:
        return None
    said = call.args[place]
    is_written_there = isinstance(said, ast.JoinedStr) or isinstance(getattr(said, "value", None), str)
    return said if is_written_there else None


def is_marked(node: ast.expr, made: set[str]) -> bool:
    """Whether an expression is a call of `_`, with values filled in or not, or the name of one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return is_marked(node.func.value, made)
    return is_text_call(node) or (isinstance(node, ast.Name) and node.id in made)


def marked_names(tree: ast.Module) -> set[str]:
    """Names that are given nothing but marked texts."""
    given: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            given.setdefault(node.targets[0].id, []).append(node.value)
    return {name for name, values in given.items() if all(is_marked(value, set()) for value in values)}


def unmarked_texts(tree: ast.Module) -> Iterator[str]:
    """Texts outside `_( )` that are no docstrings, gaps of f-strings as {}."""
    known = {id(part) for call in text_calls(tree) for part in ast.walk(call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            known.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            known.update(id(part) for part in ast.walk(node) if part is not node)
    for node in ast.walk(tree):
        if id(node) in known:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
