"""The engine's messages survive the way over the pipe, and wrong ones are refused with a sentence."""

import json

import pytest

from KidneyParsingLib.engine import messages
from KidneyParsingLib.engine.messages import (
    CancelledReply,
    CancelRequest,
    ErrorReply,
    LogReply,
    MessageError,
    ProgressReply,
    ReadyReply,
    ResultReply,
    SegmentRequest,
    ShutdownRequest,
    decode,
    encode,
)
from KidneyParsingLib.inference.options import Options

PLACE = {
    "structure": "tumor",
    "reason": "Small.",
    "center_ras": [1.0, -2.5, 30.0],
    "ml": 0.4,
    "score": 0.9,
    "kind": "speck",
}
MESSAGES = [
    SegmentRequest("7", "/data/Müller/ct.nrrd", "out.seg.nrrd", "ba_net", "cuda:1", ("kidney", "tumor"), True),
    SegmentRequest("8", "ct.nii.gz", "out.seg.nrrd"),
    SegmentRequest(
        "9", "ct", "out", quality="fast", region="whole", overlap=0.25, backend="torch", review=True, threads=3
    ),
    CancelRequest("7"),
    ShutdownRequest(),
    ReadyReply("0.1.0", 4711),
    ProgressReply("7", 0.25, "Predicting"),
    ProgressReply("7", 0.5, "Predicting", 12.5),
    LogReply("7", "line one\nline two\r\n\tüß"),
    ResultReply("7", "out.seg.nrrd", {"kidney_left": 181.5}, ("a note",), 12.5, {"Parsing": 9.5}, (PLACE,)),
    ErrorReply("7", "There is no file.", 2),
    CancelledReply("7"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_round_trip(message):
    assert decode(encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_one_ascii_line_with_version_and_type(message):
    line = encode(message)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    record = json.loads(line.decode("ascii"))
    assert record["version"] == messages.VERSION and isinstance(record["type"], str)


def test_defaults_are_those_of_the_options():
    request = decode('{"version": 1, "type": "segment", "id": "a", "ct": "c", "output": "o"}')
    assert request.options == Options()


def test_request_of_options_asks_for_these_options():
    options = Options("tu_net", "cpu", ("kidney",), True, "fast", "whole", 0.25, "torch", True)
    request = SegmentRequest.of("a", "c", "o", options, threads=2)
    assert request.options == options and (request.id, request.ct, request.output, request.threads) == (
        "a",
        "c",
        "o",
        2,
    )


def test_unknown_fields_are_ignored():
    assert decode('{"version": 1, "type": "cancel", "id": "a", "later": [1]}') == CancelRequest("a")


@pytest.mark.parametrize(
    "line, text",
    [
        ("", "one JSON object"),
        ("{", "one JSON object"),
        ("[1]", "not list"),
        ("[" * 100_000, "one JSON object"),
        (b"\xff\xfe\n", "one JSON object"),
        ('{"type": "cancel", "id": "a"}', "version 1, not None"),
        ('{"version": 2, "type": "cancel", "id": "a"}', "version 1, not 2"),
        ('{"version": 1, "type": "dance"}', "no message type 'dance'"),
        ('{"version": 1, "type": ["cancel"]}', "no message type"),
        ('{"version": 1, "type": "cancel"}', "needs the field 'id'"),
        ('{"version": 1, "type": "cancel", "id": 3}', "'id' of a cancel message must be of type str"),
        ('{"version": 1, "type": "segment", "id": "a", "ct": "c", "output": "o", "tta": 1}', "must be of type bool"),
        ('{"version": 1, "type": "segment", "id": "a", "ct": "c", "output": "o", "structures": [1]}', "'structures'"),
        ('{"version": 1, "type": "progress", "id": "a", "fraction": true, "phase": ""}', "'fraction'"),
        ('{"version": 1, "type": "result", "id": "a", "output": "o", "volumes_ml": {"a": "b"}}', "'volumes_ml'"),
    ],
)
def test_wrong_lines_are_refused_with_a_sentence(line, text):
    with pytest.raises(MessageError, match="(?s)") as caught:
        decode(line)
    assert text in str(caught.value) and str(caught.value).endswith(".")


def test_refusal_names_the_run_it_is_about():
    with pytest.raises(MessageError) as caught:
        decode('{"version": 1, "type": "segment", "id": "a"}')
    assert caught.value.id == "a"
