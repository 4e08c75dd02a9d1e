"""What happens when the engine or its parent is killed: real processes, in every phase."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from raw_engine import FAKE_ENGINE, RawEngine, segment_request

from KidneyParsingLib.engine.client import EngineClient
from KidneyParsingLib.engine.messages import LogReply, ProgressReply, ReadyReply, ResultReply, decode, encode
from KidneyParsingLib.engine.scratch import make_scratch_folder, remove_abandoned
from KidneyParsingLib.errors import KidneyParsingError
from KidneyParsingLib.inference.options import Options

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")

# Phase; names of the CT, the output and the model for which it goes on for long.
PHASES = {
    "Reading the CT": ("slow.nrrd", "out.seg.nrrd", "plain"),
    "Loading the network": ("ct.nrrd", "out.seg.nrrd", "slow loading"),
    "Predicting": ("ct.nrrd", "out.seg.nrrd", "deaf"),
    "Writing the segments": ("ct.nrrd", "slow.seg.nrrd", "plain"),
}
# Starts an engine whose replies go to this process's own stdout, hands it one line and waits to be killed.
PARENT = """
import subprocess, sys, time
engine = subprocess.Popen([sys.executable, sys.argv[1]], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
engine.stdin.write(sys.stdin.buffer.readline())
engine.stdin.flush()
time.sleep(60)
"""


@pytest.mark.parametrize("phase", PHASES)
def test_killed_engine_is_one_sentence_and_the_next_run_works(
    client: EngineClient, ct: Path, output: Path, phase: str
) -> None:
    def kill(fraction: float, now: str) -> None:
        if now == phase:
            os.kill(client.pid, signal.SIGKILL)

    ct_name, output_name, model = PHASES[phase]
    slow_ct = ct.rename(ct.with_name(ct_name))
    with pytest.raises(KidneyParsingError, match=r"^The engine stopped unexpectedly \(exit code -9\); [^.]*\.$"):
        client.segment(slow_ct, output.with_name(output_name), Options(model=model), kill)
    assert os.listdir(output.parent) == []
    pid = client.pid
    assert client.segment(slow_ct.rename(ct), output).output == str(output)
    assert client.pid != pid and os.listdir(output.parent) == [output.name]


def test_engine_killed_between_runs_is_started_again(client: EngineClient, ct: Path, output: Path) -> None:
    client.segment(ct, output)
    os.kill(client.pid, signal.SIGKILL)
    os.waitid(os.P_PID, client.pid, os.WEXITED | os.WNOWAIT)
    assert client.segment(ct, output).output == str(output)


@pytest.mark.parametrize("phase", [*PHASES, "Multiplying"])
def test_engine_ends_when_its_parent_is_killed(ct: Path, output: Path, phase: str) -> None:
    ct_name, output_name, model = PHASES.get(phase, ("ct.nrrd", "out.seg.nrrd", "torch"))
    ct, output = ct.rename(ct.with_name(ct_name)), output.with_name(output_name)
    command = [sys.executable, "-c", PARENT, str(FAKE_ENGINE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        parent.stdin.write(encode(segment_request(ct, output, model=model)))
        parent.stdin.flush()
        pid = decode(parent.stdout.readline()).pid
        while not isinstance(reply := decode(parent.stdout.readline()), ProgressReply) or reply.phase != phase:
            assert isinstance(reply, (ProgressReply, LogReply, ReadyReply))
        time.sleep(0.3)
        parent.kill()
        start = time.monotonic()
        # The end of the replies: the engine, the only one who can still write, is gone.
        rest = parent.stdout.read()
        ended = time.monotonic() - start < 5
        if not ended:
            os.kill(pid, signal.SIGKILL)
    assert ended and b'"result"' not in rest
    assert os.listdir(output.parent) == []


def test_engine_that_is_killed_while_writing_leaves_a_folder_that_the_next_run_removes(
    start_engine: Callable[..., RawEngine], ct: Path, output: Path
) -> None:
    engine = start_engine()
    engine.send(segment_request(ct, output.with_name("slow.seg.nrrd")))
    engine.wait_for("Writing the segments")
    while not list(output.parent.glob(".kidneyparsing-*/half")):
        time.sleep(0.01)
    engine.end()
    assert len(os.listdir(output.parent)) == 1
    engine = start_engine()
    engine.send(segment_request(ct, output))
    engine.replies_until(ResultReply)
    assert os.listdir(output.parent) == [output.name]


def test_only_own_folders_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = make_scratch_folder(tmp_path)
    computer, pid = own.name.split("-")[1:3]
    assert int(pid) == os.getpid()
    gone = tmp_path / f".kidneyparsing-{computer}-{ended.pid}-abc"
    others = [".kidneyparsing-", ".kidneyparsing-abc", f".kidneyparsing-00000000-{ended.pid}-abc", "kidney", ".x"]
    for folder in (gone, *(tmp_path / name for name in others)):
        folder.mkdir()
        (folder / "half.seg.nrrd").touch()
    remove_abandoned(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([own.name, *others])
    remove_abandoned(tmp_path / "missing")


def test_closed_stdin_ends_the_process_in_the_middle_of_a_run(
    start_engine: Callable[..., RawEngine], ct: Path, output: Path
) -> None:
    engine = start_engine(steps=1000)
    engine.send(segment_request(ct, output))
    engine.wait_for("Predicting")
    engine.process.stdin.close()
    assert engine.process.wait(5) == 0
    assert os.listdir(output.parent) == []


def test_interrupt_key_is_left_to_the_parent(start_engine: Callable[..., RawEngine], ct: Path, output: Path) -> None:
    engine = start_engine()
    engine.send(segment_request(ct, output))
    engine.wait_for("Predicting")
    engine.process.send_signal(signal.SIGINT)
    assert isinstance(engine.replies_until(ResultReply)[-1], ResultReply)
