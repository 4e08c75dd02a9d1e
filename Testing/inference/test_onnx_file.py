"""The cache of exported networks: made once, kept while it is used, never growing for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from KidneyParsingLib.cache import CACHE_VARIABLE
from KidneyParsingLib.inference.backends import onnx_file as subject


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that was exported, in an empty cache."""
    made: list[Path] = []

    def export(network: object, stride: int, path: Path) -> None:
        path.write_bytes(b"onnx")
        made.append(path)

    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(subject, "export", export)
    return made


def test_a_network_is_exported_once(exported: list[Path]) -> None:
    first, second = (subject.onnx_file(lambda: None, 16, "weights") for _ in range(2))
    assert first == second and first.read_bytes() == b"onnx"
    assert len(exported) == 1 and not exported[0].exists()  # it was moved to its name when it was whole


def test_the_files_that_nobody_uses_any_more_are_removed(exported: list[Path]) -> None:
    paths = [subject.onnx_file(lambda: None, 16, f"weights-{age}") for age in range(24)]
    for age, path in enumerate(paths):
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    subject.onnx_file(lambda: None, 16, "weights-23")  # the oldest, used again
    newest = subject.onnx_file(lambda: None, 16, "weights-new")
    assert newest.exists() and paths[23].exists()
    assert [path.exists() for path in paths[:23]] == [True] * 22 + [False]


def test_a_file_that_another_process_has_just_removed_is_no_error(tmp_path: Path, exported: list[Path]) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "gone.onnx").symlink_to(tmp_path / "nothing")  # listed, but not there
    assert subject.onnx_file(lambda: None, 16, "weights").exists()
