"""Sentences are English texts that remember how they were made, through copies, files and errors."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.sentences import (
    Sentence,
    from_record,
    record,
    records_in,
    sentence_of,
    texts_of,
    with_sentences,
)

VEIN = texts_of("KidneyParsingLib.anatomy")("vein")
GAP = texts_of("KidneyParsingLib.volumes.reading")("The {structure} ends {mm:.1f} mm before {path}.")
FULL = GAP.format(structure=VEIN, mm=np.float32(12.34), path=Path("folder"))
ENGLISH = "The vein ends 12.3 mm before folder."


def parts(sentence: str) -> tuple:
    assert isinstance(sentence, Sentence)
    return sentence.context, sentence.template, sentence.values


def test_a_sentence_is_its_english_text() -> None:
    assert FULL == ENGLISH and str(FULL) == ENGLISH and type(str(FULL)) is str and hash(FULL) == hash(ENGLISH)
    assert parts(FULL)[:2] == ("volumes.reading", "The {structure} ends {mm:.1f} mm before {path}.")
    assert FULL.values["structure"] is VEIN and FULL.values["path"] == "folder"


def test_a_text_without_gaps_is_a_sentence_already() -> None:
    assert parts(VEIN) == ("KidneyParsingLib.anatomy", "vein", {})


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda sentence: pickle.loads(pickle.dumps(sentence))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_remember_too(again) -> None:
    assert parts(again(FULL)) == parts(FULL) and parts(again(FULL).values["structure"]) == parts(VEIN)


def test_an_error_hands_out_what_it_was_raised_with() -> None:
    assert sentence_of(InputError(FULL)) is FULL and str(InputError(FULL)) == ENGLISH
    assert sentence_of(ValueError("no sentence")) == "no sentence"
    assert sentence_of(OSError(2, "gone")) == "[Errno 2] gone"


def test_a_record_is_json_and_becomes_the_sentence_again() -> None:
    entry = json.loads(json.dumps(record(FULL)))
    again = from_record(entry, ENGLISH)
    assert again == ENGLISH and parts(again) == parts(FULL) and parts(again.values["structure"]) == parts(VEIN)
    assert set(entry) == {"context", "text", "values"}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "text",
        {},
        {"context": "a", "text": "b", "values": None},
        {"context": "a", "text": "Another text.", "values": {}},
        {"context": "a", "text": "{0} {missing} {", "values": {"x": 1}},
        {"context": "a", "text": "{mm.real.none}", "values": {"mm": 1}},
        {"context": "a", "text": "{mm:.1f}", "values": {"mm": "no number"}},
    ],
)
def test_a_record_that_does_not_make_the_text_leaves_it_as_it_is(entry: object) -> None:
    assert type(from_record(entry, ENGLISH)) is str and from_record(entry, ENGLISH) == ENGLISH


def test_sentences_are_found_and_put_back_wherever_they_are() -> None:
    data = {"notes": ["plain", FULL], "places": ({"reason": VEIN, "ml": 1.5, "center": [1, 2]},), "none": None}
    records = json.loads(json.dumps(records_in(data)))
    assert set(records) == {ENGLISH, "vein"}
    again = with_sentences(json.loads(json.dumps(data)), records)
    assert again == {**data, "places": list(data["places"])}
    assert parts(again["notes"][1]) == parts(FULL) and parts(again["places"][0]["reason"]) == parts(VEIN)
    assert type(again["notes"][0]) is str


def test_sentences_cost_the_start_nothing() -> None:
    code = "import sys; before = set(sys.modules); import KidneyParsingLib.sentences; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {name.split(".")[0] for name in loaded} - sys.stdlib_module_names - {"KidneyParsingLib"}
    assert "inspect" not in loaded
