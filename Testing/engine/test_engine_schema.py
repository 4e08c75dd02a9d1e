"""The JSON Schema of the protocol says what the messages are."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from raw_engine import RawEngine, segment_request

from KidneyParsingLib.cli import main
from KidneyParsingLib.engine.field_types import FIELD_TYPES, fits
from KidneyParsingLib.engine.messages import TYPES, CancelRequest, MessageError, ShutdownRequest, decode, encode
from KidneyParsingLib.engine.schema import message_schema
from KidneyParsingLib.inference.options import Options

DOCUMENT = Path(__file__).parents[2] / "docs" / "engine.md"
REQUESTS = ("segment", "cancel", "shutdown")


@pytest.fixture
def conversation(ct: Path, output: Path) -> list[dict[str, Any]]:
    """Every kind of message, as it went over the pipes: a run, a cancelled one, a failed one, a surprise."""
    requests = [
        segment_request(ct, output),
        segment_request(ct, output, "2"),
        CancelRequest("2"),
        segment_request(ct.with_name("missing.nrrd"), output, "3"),
        segment_request(ct, output, "4", "broken"),
        ShutdownRequest(),
    ]
    engine = RawEngine()
    engine.send(*requests)
    lines = [*map(encode, requests), *engine.process.stdout]
    engine.end()
    return [json.loads(line) for line in lines]


def documented() -> list[dict[str, Any]]:
    """The messages in the examples of the document."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    return [json.loads(line[2:]) for line in lines if line.startswith(("> {", "< {"))]


def test_real_conversation_fits_the_schema(conversation: list[dict[str, Any]]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    jsonschema.Draft202012Validator.check_schema(message_schema())
    validator = jsonschema.Draft202012Validator(message_schema())
    for message in [*conversation, *documented()]:
        validator.validate(message)
    for wrong in ({}, {"version": 1, "type": "cancel"}, {"version": 2, "type": "shutdown"}):
        assert not validator.is_valid(wrong)


def test_real_conversation_has_the_fields_that_the_schema_names(conversation: list[dict[str, Any]]) -> None:
    definitions = message_schema()["$defs"]
    for message in conversation:
        properties = definitions[message["type"]]["properties"]
        assert set(message) == set(properties) and message["version"] == properties["version"]["const"] == 1
    assert {message["type"] for message in conversation} == set(TYPES)


def test_schema_is_that_of_the_dataclasses() -> None:
    schema = message_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    unions = {
        name: {entry["$ref"].split("/")[-1] for entry in schema["$defs"][name]["oneOf"]}
        for name in ("request", "reply")
    }
    assert unions == {"request": set(REQUESTS), "reply": set(TYPES) - set(REQUESTS)}
    segment = schema["$defs"]["segment"]
    assert segment["required"] == ["version", "type", "id", "ct", "output"]
    assert segment["properties"]["threads"] == {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}
    assert schema["$defs"]["progress"]["properties"]["fraction"] == {"type": "number"}
    assert {entry.name for entry in fields(Options)} < set(segment["properties"])


def test_document_s_examples_are_messages_and_show_every_kind() -> None:
    messages = documented()
    for message in messages:
        decode(json.dumps(message))
    assert {message["type"] for message in messages} == set(TYPES)


@pytest.mark.parametrize(
    ("annotation", "right", "wrong"),
    [
        ("int", [0, -3], [True, 1.5, "1", None]),
        ("float", [0, 1.5], [False, "1", None]),
        ("bool", [True], [1, None]),
        ("float | None", [None, 2], [True, "2"]),
        ("tuple[str, ...] | None", [None, [], ["a"]], ["a", [1]]),
        ("dict[str, float]", [{}, {"a": 1}], [[], {"a": "b"}, {"a": None}]),
        (
            "tuple[Place, ...]",
            [
                [],
                [
                    {
                        "structure": "a",
                        "reason": "b",
                        "center_ras": [1, 2, 3],
                        "ml": 1,
                        "score": 0.5,
                        "kind": "",
                        "more": [],
                    }
                ],
            ],
            [{}, [{}], [{"structure": "a", "reason": "b", "center_ras": [1, 2], "ml": 1, "score": 0.5, "kind": ""}]],
        ),
    ],
)
def test_values_are_checked_against_the_type_s_schema(annotation: str, right: list[Any], wrong: list[Any]) -> None:
    schema = FIELD_TYPES[annotation]
    assert all(fits(value, schema) for value in right) and not any(fits(value, schema) for value in wrong)
    validators = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = validators.Draft202012Validator(schema)
    assert all(map(validator.is_valid, right)) and not any(map(validator.is_valid, wrong))


def test_every_field_has_a_type_that_is_known() -> None:
    assert {str(entry.type) for cls in TYPES.values() for entry in fields(cls)} <= set(FIELD_TYPES)


def test_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == message_schema()


def test_command_is_the_engine() -> None:
    command = [sys.executable, "-m", "KidneyParsingLib", "engine"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=DOCUMENT.parents[1], **pipes) as process:
        assert json.loads(process.stdout.readline())["type"] == "ready"
        process.stdin.write(encode(ShutdownRequest()))
        process.stdin.flush()
        assert process.wait(30) == 0 and process.stdout.read() == b""


def test_numpy_s_numbers_are_sent_as_numbers_and_other_things_refused() -> None:
    import numpy as np

    from KidneyParsingLib.engine.messages import ResultReply

    reply = ResultReply("1", "out", {"kidney_left": np.float32(1.5)}, seconds=np.float64(2.0))
    assert decode(encode(reply)) == ResultReply("1", "out", {"kidney_left": 1.5}, seconds=2.0)
    with pytest.raises(TypeError):
        encode(ResultReply("1", "out", {"kidney_left": object()}))
    with pytest.raises(MessageError, match="'places'"):
        decode(encode(ResultReply("1", "out", places=({"structure": "kidney"},))))
