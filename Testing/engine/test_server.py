"""The engine as a real child process: runs, progress, errors; test_cancel.py and test_death.py hold the rest."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from raw_engine import segment_request as request

from KidneyParsingLib.engine.messages import (
    ErrorReply,
    LogReply,
    ProgressReply,
    ReadyReply,
    ResultReply,
    ShutdownRequest,
    decode,
    encode,
)
from KidneyParsingLib.errors import Cancelled, InputError, KidneyParsingError, OutOfMemoryError
from KidneyParsingLib.inference.options import Options
from KidneyParsingLib.volumes.writing import read_label_map


def test_run_reports_rising_progress_and_writes_the_segments(start_engine, ct, output):
    engine = start_engine()
    engine.send(request(ct, output))
    *progress, result = engine.replies_until(ResultReply, ErrorReply)
    fractions = [reply.fraction for reply in progress if isinstance(reply, ProgressReply)]
    phases = list(dict.fromkeys(reply.phase for reply in progress if isinstance(reply, ProgressReply)))
    assert fractions == sorted(fractions) and 0 <= fractions[0] and fractions[-1] <= 1
    before, after = ["Reading the CT", "Loading the network"], ["Done", "Writing the segments"]
    assert phases == [*before, "Predicting", "Parsing region 1 of 2", "Parsing region 2 of 2", *after]
    assert result.output == str(output) and result.seconds > 0
    assert list(result.phases) == [*before, "Predicting", "Parsing", "Writing the segments"]
    assert min(result.phases.values()) >= 0 and sum(result.phases.values()) == pytest.approx(result.seconds, abs=0.1)
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


def test_places_to_look_at_arrive_as_plain_numbers(start_engine, ct, output):
    engine = start_engine()
    engine.send(request(ct, output))
    (place,) = engine.replies_until(ResultReply)[-1].places
    text = {"structure": "kidney", "reason": "The contour is vague.", "kind": "surface"}
    assert place == {**text, "center_ras": [1.5, -2.0, 30.0], "ml": 0.25, "score": 0.5}


def test_parser_s_log_carries_the_id_of_its_run(start_engine, ct, output):
    engine = start_engine()
    engine.send(request(ct, output), request(ct, output, "2"))
    logs = [reply for reply in engine.replies_until(ResultReply) + engine.replies_until(ResultReply)]
    logs = [reply for reply in logs if isinstance(reply, LogReply)]
    assert logs == [LogReply("1", "a line for the log"), LogReply("2", "a line for the log")]


def test_time_left_shrinks_to_nothing(start_engine, ct, output):
    engine = start_engine(steps=40)
    engine.send(request(ct, output))
    replies = [reply for reply in engine.replies_until(ResultReply) if isinstance(reply, ProgressReply)]
    left = [reply.seconds_left for reply in replies]
    assert left[0] is None and replies[0].phase == "Reading the CT"
    known = [seconds for seconds in left if seconds is not None]
    assert len(known) > 10 and known[0] > known[-1] >= 0


@pytest.mark.parametrize(
    "change, words",
    [({"quality": "superb"}, "superb"), ({"overlap": 2.0}, "2.0"), ({"threads": 0}, "0 threads")],
)
def test_request_for_what_does_not_exist_is_refused_before_the_work(start_engine, ct, output, change, words):
    engine = start_engine()
    engine.send(replace(request(ct, output), **change))
    error = engine.reply()
    assert isinstance(error, ErrorReply) and (error.id, error.exit_code) == ("1", 2) and words in error.message


def test_second_run_of_the_same_id_is_refused_and_the_first_goes_on(start_engine, ct, output):
    engine = start_engine()
    engine.send(request(ct, output), request(ct, output))
    replies = engine.replies_until(ResultReply)
    assert [reply.id for reply in replies if isinstance(reply, ErrorReply)] == [""]


def test_shutdown_ends_an_idle_process(start_engine):
    engine = start_engine()
    engine.send(ShutdownRequest())
    assert engine.process.wait(2) == 0


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


def test_error_of_the_progress_callback_ends_the_run(client, ct, output):
    def fail(fraction: float, phase: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.segment(ct, output, progress=fail)
    assert not output.exists()
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
