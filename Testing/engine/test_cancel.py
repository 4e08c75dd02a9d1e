"""A cancel ends every phase at once, leaves nothing, and the next run works."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from raw_engine import RawEngine, segment_request

from KidneyParsingLib.engine.client import EngineClient
from KidneyParsingLib.engine.messages import CancelledReply, CancelRequest, ResultReply
from KidneyParsingLib.errors import Cancelled
from KidneyParsingLib.inference.options import Options

# Phase, names of the CT, the output and the model for a phase that goes on for 30 seconds.
SLOW = {
    "Reading the CT": ("slow.nrrd", "out.seg.nrrd", "plain"),
    "Loading the network": ("ct.nrrd", "out.seg.nrrd", "slow loading"),
    "Writing the segments": ("ct.nrrd", "slow.seg.nrrd", "plain"),
}
STUBBORN = {
    "Reading the CT": ("stubborn.nrrd", "out.seg.nrrd", "plain"),
    "Loading the network": ("ct.nrrd", "out.seg.nrrd", "stubborn loading"),
    "Predicting": ("ct.nrrd", "out.seg.nrrd", "stubborn predicting"),
    "Writing the segments": ("ct.nrrd", "stubborn.seg.nrrd", "plain"),
}
# Well above what a cancel takes on a busy machine, well below what goes on.
SECONDS = 5


def nothing_is_left(folder: Path) -> bool:
    """Waits a little for what an abandoned writer removes after the reply."""
    deadline = time.monotonic() + 2
    while os.listdir(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.listdir(folder) == []


def cancel_in(client: EngineClient, phase: str, ct: Path, output: Path, model: str) -> None:
    """Run until the phase has begun and is deep in its one call, cancel from another thread."""

    def progress(fraction: float, now: str) -> None:
        if now == phase:
            timers.append(threading.Timer(0.3, client.cancel))
            timers[-1].start()

    timers: list[threading.Timer] = []
    start = time.monotonic()
    with pytest.raises(Cancelled):
        client.segment(ct, output, Options(model=model), progress)
    assert timers and time.monotonic() - start < SECONDS
    assert nothing_is_left(output.parent)


@pytest.mark.parametrize("phase", SLOW)
def test_cancel_of_a_long_call_keeps_the_process(client: EngineClient, ct: Path, output: Path, phase: str) -> None:
    client.segment(ct, output)
    output.unlink()
    pid = client.pid
    ct_name, output_name, model = SLOW[phase]
    cancel_in(client, phase, ct.rename(ct.with_name(ct_name)), output.with_name(output_name), model)
    fast = ct.with_name(ct_name).rename(ct)
    if "loading" not in model:
        assert client.segment(fast, output).output == str(output) and client.pid == pid


@pytest.mark.parametrize("phase", STUBBORN)
def test_cancel_kills_an_engine_that_does_not_listen(client: EngineClient, ct: Path, output: Path, phase: str) -> None:
    ct_name, output_name, model = STUBBORN[phase]
    cancel_in(client, phase, ct.rename(ct.with_name(ct_name)), output.with_name(output_name), model)
    pid = client.pid
    assert client.segment(ct.with_name(ct_name).rename(ct), output).output == str(output)
    assert client.pid != pid


def test_cancel_in_the_middle_is_answered_at_once_and_leaves_nothing(
    start_engine: Callable[..., RawEngine], ct: Path, output: Path
) -> None:
    engine = start_engine(steps=1000)
    engine.send(segment_request(ct, output))
    engine.wait_for("Predicting")
    start = time.monotonic()
    engine.send(CancelRequest("1"))
    engine.replies_until(CancelledReply)
    assert time.monotonic() - start < SECONDS
    assert os.listdir(output.parent) == []
    engine.send(segment_request(ct, output, "2"), CancelRequest("2"))
    assert isinstance(engine.replies_until(CancelledReply)[-1], CancelledReply)


def test_cancel_before_the_engine_is_ready(ct: Path, output: Path) -> None:
    engine = RawEngine()
    try:
        engine.send(segment_request(ct, output), CancelRequest("1"), segment_request(ct, output, "2"))
        replies = engine.replies_until(ResultReply)
    finally:
        engine.end()
    assert CancelledReply("1") in replies and replies[-1].id == "2"
    assert os.listdir(output.parent) == [output.name]


def test_cancel_of_a_waiting_run_is_answered_before_the_one_that_runs_ends(
    start_engine: Callable[..., RawEngine], ct: Path, output: Path
) -> None:
    engine = start_engine()
    other = output.with_name("other.seg.nrrd")
    engine.send(segment_request(ct, output), segment_request(ct, other, "2"), CancelRequest("2"), CancelRequest("9"))
    replies = engine.replies_until(ResultReply)
    assert replies[-1].id == "1" and CancelledReply("2") in replies
    engine.send(segment_request(ct, output, "3"))
    assert engine.replies_until(ResultReply)[-1].id == "3"
    assert os.listdir(output.parent) == [output.name]


def test_network_whose_load_was_cancelled_is_there_for_the_next_run(
    start_engine: Callable[..., RawEngine], ct: Path, output: Path
) -> None:
    engine = start_engine()
    engine.send(segment_request(ct, output, "1", "one second loading"))
    engine.wait_for("Loading the network")
    engine.send(CancelRequest("1"))
    engine.replies_until(CancelledReply)
    engine.send(segment_request(ct, output, "2", "one second loading"))
    assert engine.replies_until(ResultReply)[-1].notes == ("a note", "parser 1")


def test_old_result_survives_a_cancelled_run(start_engine: Callable[..., RawEngine], ct: Path, output: Path) -> None:
    output.write_text("precious")
    engine = start_engine(steps=1000)
    engine.send(segment_request(ct, output), CancelRequest("1"))
    engine.replies_until(CancelledReply)
    assert output.read_text() == "precious"
