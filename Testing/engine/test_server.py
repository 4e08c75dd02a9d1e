"""The engine as a real child process: runs, progress, cancelling, errors, and what is left when someone dies."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from KidneyParsingLib.engine.client import EngineClient
from KidneyParsingLib.engine.messages import (
    CancelledReply,
    CancelRequest,
    ErrorReply,
    LogReply,
    ProgressReply,
    ReadyReply,
    ResultReply,
    SegmentRequest,
    ShutdownRequest,
    decode,
    encode,
)
from KidneyParsingLib.errors import Cancelled, InputError, KidneyParsingError, OutOfMemoryError
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.volumes.geometry import image_from_array
from KidneyParsingLib.volumes.writing import read_label_map

FAKE_ENGINE = Path(__file__).with_name("fake_engine.py")


class RawEngine:
    """The child process with its bare pipes."""

    def __init__(self, steps: int = 5) -> None:
        command = [sys.executable, str(FAKE_ENGINE), str(steps)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def send(self, *requests) -> None:
        for request in requests:
            self.process.stdin.write(request if isinstance(request, bytes) else encode(request))
        self.process.stdin.flush()

    def reply(self):
        return decode(self.process.stdout.readline())

    def replies_until(self, *kinds) -> list:
        replies = [self.reply()]
        while not isinstance(replies[-1], kinds):
            replies.append(self.reply())
        return replies


@pytest.fixture
def start_engine():
    engines = []

    def start(steps: int = 5) -> RawEngine:
        engines.append(RawEngine(steps))
        assert isinstance(engines[-1].reply(), ReadyReply)
        return engines[-1]

    yield start
    for engine in engines:
        engine.process.kill()
        engine.process.wait()
        engine.process.stdin.close()
        engine.process.stdout.close()


@pytest.fixture
def ct(tmp_path):
    import SimpleITK as sitk

    array = np.full((20, 24, 28), -100, np.int16)
    array[5:10, 5:10, 5:10] = 60
    path = tmp_path / "ct.nrrd"
    sitk.WriteImage(image_from_array(array, np.diag([2.0, 2.0, 2.0, 1.0])), str(path))
    return path


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    return folder / "out.seg.nrrd"


def request(ct, output, id="1", model="plain"):
    return SegmentRequest(id, str(ct), str(output), model)


def test_run_reports_rising_progress_and_writes_the_segments(start_engine, ct, output):
    engine = start_engine()
    engine.send(request(ct, output))
    *progress, result = engine.replies_until(ResultReply, ErrorReply)
    fractions = [reply.fraction for reply in progress if isinstance(reply, ProgressReply)]
    phases = {reply.phase for reply in progress}
    assert fractions == sorted(fractions) and 0 <= fractions[0] and fractions[-1] <= 1
    assert phases == {"Reading the CT", "Loading the network", "Predicting", "Writing the segments"}
    assert result.output == str(output) and result.seconds > 0
    assert result.volumes_ml == pytest.approx({"kidney_right": 1.0})
    assert read_label_map(output).volumes_ml() == pytest.approx(result.volumes_ml)
    assert os.listdir(output.parent) == [output.name]


def test_stray_prints_do_not_reach_the_replies(start_engine, ct, output):
    engine = start_engine()
    engine.send(request(ct, output, model="noisy"))
    assert isinstance(engine.replies_until(ResultReply, ErrorReply)[-1], ResultReply)


def test_bad_input_is_a_sentence_and_the_process_goes_on(start_engine, ct, output, tmp_path):
    engine = start_engine()
    engine.send(request(tmp_path / "missing.nrrd", output), request(ct, output, "2"))
    error = engine.replies_until(ErrorReply)[-1]
    assert (error.id, error.exit_code) == ("1", 2) and "missing.nrrd" in error.message
    assert engine.replies_until(ResultReply)[-1].id == "2"


def test_output_folder_is_checked_before_the_work(start_engine, ct, output):
    engine = start_engine()
    engine.send(request(ct, output.parent / "none" / "out.seg.nrrd"))
    assert isinstance(engine.reply(), ErrorReply)


def test_surprise_is_told_with_type_and_traceback(start_engine, ct, output):
    engine = start_engine()
    engine.send(request(ct, output, model="broken"))
    *_, log, error = engine.replies_until(ErrorReply)
    assert isinstance(log, LogReply) and "Traceback" in log.text
    assert "ValueError: no such thing" in error.message and error.exit_code == 1
    assert os.listdir(output.parent) == []


def test_out_of_memory_is_told_as_such(start_engine, ct, output):
    engine = start_engine()
    engine.send(request(ct, output, model="greedy"))
    error = engine.replies_until(ErrorReply)[-1]
    assert error.exit_code == 3 and "memory" in error.message


@pytest.mark.parametrize("line", [b"nonsense\n", b"\n", b'{"version": 9}\n', encode(ReadyReply("0", 1))])
def test_malformed_line_is_refused_and_the_process_goes_on(start_engine, ct, output, line):
    engine = start_engine()
    engine.send(line, request(ct, output))
    replies = engine.replies_until(ResultReply)
    assert any(isinstance(reply, ErrorReply) for reply in replies) and replies[-1].id == "1"


def test_cancel_in_the_middle_is_answered_at_once_and_leaves_nothing(start_engine, ct, output):
    engine = start_engine(steps=200)
    engine.send(request(ct, output))
    while engine.reply().phase != "Predicting":
        pass
    start = time.monotonic()
    engine.send(CancelRequest("1"))
    engine.replies_until(CancelledReply)
    assert time.monotonic() - start < 0.8
    assert os.listdir(output.parent) == []


def test_cancel_of_a_waiting_run_and_of_an_unknown_one(start_engine, ct, output):
    engine = start_engine()
    engine.send(request(ct, output), request(ct, output, "2"), CancelRequest("2"), CancelRequest("9"))
    assert engine.replies_until(ResultReply, CancelledReply)[-1].id == "1"
    assert isinstance(engine.reply(), CancelledReply)


def test_old_result_survives_a_cancelled_run(start_engine, ct, output):
    output.write_text("precious")
    engine = start_engine(steps=200)
    engine.send(request(ct, output), CancelRequest("1"))
    engine.replies_until(CancelledReply)
    assert output.read_text() == "precious"


def test_closed_stdin_ends_the_process_in_the_middle_of_a_run(start_engine, ct, output):
    engine = start_engine(steps=200)
    engine.send(request(ct, output))
    while engine.reply().phase != "Predicting":
        pass
    engine.process.stdin.close()
    assert engine.process.wait(2) == 0
    assert os.listdir(output.parent) == []


def test_shutdown_ends_an_idle_process(start_engine):
    engine = start_engine()
    engine.send(ShutdownRequest())
    assert engine.process.wait(2) == 0


@pytest.fixture
def client():
    with EngineClient([sys.executable, str(FAKE_ENGINE)], log=lambda text: None) as engine:
        yield engine


def test_client_runs_twice_in_one_process(client, ct, output):
    seen = []
    first = client.segment(ct, output, progress=lambda fraction, phase: seen.append(fraction))
    pid = client.pid
    second = client.segment(ct, output)
    assert first.volumes_ml == second.volumes_ml and len(seen) > 3
    assert client.pid == pid and pid != os.getpid()


@pytest.mark.parametrize(
    "model, error", [("greedy", OutOfMemoryError), ("broken", KidneyParsingError), ("crashing", KidneyParsingError)]
)
def test_client_raises_what_the_engine_reports_and_recovers(client, ct, output, model, error):
    with pytest.raises(error):
        client.segment(ct, output, Options(model=model))
    assert client.segment(ct, output).output == str(output)


def test_client_raises_input_error(client, output, tmp_path):
    with pytest.raises(InputError, match="missing"):
        client.segment(tmp_path / "missing.nii.gz", output)


def test_progress_callback_can_cancel(client, ct, output):
    def stop(fraction: float, phase: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        client.segment(ct, output, progress=stop)
    assert not output.exists()


def test_cancel_kills_an_engine_that_does_not_listen(client, ct, output):
    threading.Timer(1.0, client.cancel).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        client.segment(ct, output, Options(model="deaf"))
    assert time.monotonic() - start < 4
    assert client.segment(ct, output).output == str(output)


def test_real_engine_starts_by_its_path_from_anywhere(tmp_path):
    main = Path(__file__).parents[2] / "KidneyParsingLib" / "engine" / "__main__.py"
    process = subprocess.Popen([sys.executable, str(main)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path)
    assert isinstance(decode(process.stdout.readline()), ReadyReply)
    process.communicate(timeout=5)


@pytest.mark.parametrize(
    "module, absent", [("server", {"torch"}), ("client", {"torch", "numpy"}), ("messages", {"torch", "numpy"})]
)
def test_cheap_imports(module, absent):
    code = f"import KidneyParsingLib.engine.{module}, sys; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not absent & set(modules)
