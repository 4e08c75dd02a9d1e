"""How many threads a run gets: what it asks for, what the environment says, the cores but never everything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest
import SimpleITK as sitk
import torch

from KidneyParsingLib import threads
from KidneyParsingLib.errors import InputError


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before, of_itk = torch.get_num_threads(), sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    monkeypatch.setattr(threads, "_asked", None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    threads.cores.cache_clear()
    yield
    torch.set_num_threads(before)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(of_itk)
    threads.cores.cache_clear()


def processor(
    monkeypatch: pytest.MonkeyPatch, folder: Path, cores: int, threads_a_core: int, may_use: set[int]
) -> None:
    """A Linux machine, of whose logical processors this process may use some."""
    for cpu in range(cores * threads_a_core):
        topology = folder / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        names = ",".join(str(cpu % cores + cores * k) for k in range(threads_a_core))
        (topology / "thread_siblings_list").write_text(names + "\n")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(threads, "_TOPOLOGY", folder)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: may_use, raising=False)


@pytest.mark.parametrize(
    ("cores", "threads_a_core", "may_use", "all_of_them", "politely"),
    [
        (1, 1, {0}, 1, 1),
        (2, 1, {0, 1}, 2, 1),
        (8, 2, set(range(16)), 8, 8),
        (8, 1, set(range(8)), 8, 7),
        (32, 2, {5}, 1, 1),
        (4, 2, {0, 4}, 1, 1),
    ],
)
def test_cores_are_counted_that_this_process_may_use(
    cores: int, threads_a_core: int, may_use: set[int], all_of_them: int, politely: int,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    processor(monkeypatch, tmp_path, cores, threads_a_core, may_use)
    assert threads.thread_count() == all_of_them
    threads.use_threads(None)
    assert threads.thread_count() == torch.get_num_threads() == politely


def test_a_system_that_does_not_tell_cores_has_as_many_as_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(threads._siblings(tmp_path, {0, 1, 2})) == 3
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert threads.cores() == 6


def test_a_mac_computes_on_its_fast_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"hw.perflevel0.physicalcpu": "4\n", "hw.physicalcpu": "8\n"}
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(threads.subprocess, "run", lambda command, **how: SimpleNamespace(stdout=answers[command[-1]]))
    assert threads.cores() == 4
    threads.cores.cache_clear()
    answers["hw.perflevel0.physicalcpu"] = ""  # an Intel Mac knows no such name
    assert threads.cores() == 8


@pytest.mark.parametrize(("wanted", "heeded"), [("3", True), ("0", False), ("two", False), ("\u00b2", False)])
def test_the_environment_is_heeded_where_it_says_a_number(
    wanted: str, heeded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = threads.thread_count()
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert threads.thread_count() == (3 if heeded else before)


def test_a_run_asks_and_torch_obeys_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.delitem(sys.modules, "torch")
        threads.use_threads(1)
    threads.tell_torch()
    assert threads.thread_count() == torch.get_num_threads() == 1


def test_simpleitk_obeys_too() -> None:
    for count in (2, 1):
        threads.use_threads(count)
        assert sitk.ResampleImageFilter().GetNumberOfThreads() == count


def test_no_threads_are_refused() -> None:
    with pytest.raises(InputError, match="ask for 1 or more"):
        threads.check_threads(0)


@pytest.mark.parametrize(("count", "parts"), [(0, 1), (1, 1), (2, 2), (7, 3), (100, 3)])
def test_work_is_parted_evenly_and_whole(count: int, parts: int) -> None:
    threads.use_threads(3)
    found = threads.parts_of(count)
    assert [item for part in found for item in part] == list(range(count))
    assert len(found) == parts and max(map(len, found)) - min(map(len, found)) <= 1


def test_work_side_by_side_runs_at_the_same_time_and_keeps_its_order() -> None:
    threads.use_threads(2)
    both = Barrier(2)

    def work(item: int) -> int:
        both.wait(30)  # one thread alone would wait in vain
        return item * item

    assert threads.side_by_side(work, range(4)) == [0, 1, 4, 9]


def test_what_fails_side_by_side_is_told() -> None:
    threads.use_threads(2)
    with pytest.raises(ZeroDivisionError):
        threads.side_by_side(lambda item: 1 // item, [1, 0])
