"""How many threads a run gets: what it asks for, what the environment says, all cores but one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from KidneyParsingLib import threads
from KidneyParsingLib.errors import InputError


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "_asked", None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    threads._all_but_one.cache_clear()
    yield
    torch.set_num_threads(before)
    threads._all_but_one.cache_clear()


def test_nobody_asked() -> None:
    assert threads.thread_count() is None


def test_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.thread_count() == 3
    threads.use_threads(None)
    assert threads.thread_count() == 3


def test_a_run_asks_and_torch_obeys() -> None:
    threads.use_threads(1)
    assert threads.thread_count() == torch.get_num_threads() == 1


@pytest.mark.parametrize(("logical", "expected"), [(1, 1), (2, 1), (16, 8)])
def test_one_core_is_left_to_slicer_and_cores_are_no_threads(
    logical: int, expected: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for core in range(logical // 2 or 1):
        for cpu in {core, core + logical // 2}:
            folder = tmp_path / f"cpu{cpu}" / "topology"
            folder.mkdir(parents=True)
            (folder / "thread_siblings_list").write_text(f"{core},{core + logical // 2}")
    monkeypatch.setattr(threads, "_TOPOLOGY", tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: logical)
    threads.use_threads(None)
    assert threads.thread_count() == expected


def test_systems_that_do_not_tell_cores_have_as_many_as_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert threads._cores(tmp_path) == 4


def test_no_threads_are_refused() -> None:
    with pytest.raises(InputError, match="ask for 1 or more"):
        threads.check_threads(0)
