"""What the engine says crosses to its caller as the sentences that the library makes in one process."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from raw_engine import FAKE_ENGINE

from KidneyParsingLib.engine.client import EngineClient
from KidneyParsingLib.engine.messages import ErrorReply, LogReply, ProgressReply, ResultReply, decode, encode
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.sentences import Sentence, record, sentence_of, texts_of
from KidneyParsingLib.volumes.reading import read_ct

NOTE = texts_of("inference.parser")("Only a {side} kidney was found.").format(side="right")
PLACE = {"structure": "vein", "reason": NOTE, "center_ras": [1, 2, 3], "ml": 1, "score": 0.5, "kind": "gap"}
REPLIES = [
    ProgressReply("1", 0.5, NOTE),
    LogReply("1", NOTE),
    ResultReply("1", "out", notes=("plain", NOTE), places=(PLACE,)),
    ErrorReply("1", NOTE, 2),
]


@pytest.fixture
def logged() -> list[str]:
    return []


@pytest.fixture
def speaking(logged: list[str]) -> Iterator[EngineClient]:
    with EngineClient([sys.executable, str(FAKE_ENGINE), "4", "speaking"], log=logged.append) as engine:
        yield engine


@pytest.fixture
def ct_with_holes(ct: Path) -> Path:
    """The CT with voxels that are no numbers, which is worth a note."""
    image = sitk.ReadImage(str(ct), sitk.sitkFloat32)
    array = sitk.GetArrayFromImage(image)
    array[0, 0, :3] = np.nan
    holes = sitk.GetImageFromArray(array)
    holes.CopyInformation(image)
    sitk.WriteImage(holes, str(ct))
    return ct


def records_of(texts: object) -> list:
    return [record(text) if isinstance(text, Sentence) else text for text in texts]


def test_notes_places_phases_and_the_log_arrive_as_sentences(
    speaking: EngineClient, logged: list[str], ct_with_holes: Path, output: Path
) -> None:
    phases = []
    result = speaking.segment(ct_with_holes, output, progress=lambda fraction, phase: phases.append(phase))
    assert records_of(result.notes[:1]) == records_of(read_ct(ct_with_holes).notes) != list(result.notes[:1])
    assert record(result.notes[0])["values"] == {"missing": 3, "air": -1024}
    reason = result.places[0]["reason"]
    assert reason == "The vein may go on here: two parts end 12 mm apart."
    assert record(reason)["values"]["structure"]["context"] == "KidneyParsingLib.anatomy"
    by_text = {phase: phase for phase in phases}
    assert record(by_text["Parsing region 2 of 2"])["values"] == {"number": 2, "count": 2}
    assert record(by_text["Reading the CT"])["context"] == "engine.run"
    assert "Not enough memory on cuda; going on with the CPU." in logged
    assert {"device": "cuda"} in [record(line)["values"] for line in logged if isinstance(line, Sentence)]


def test_an_error_is_raised_with_the_sentence_that_it_has_here(
    speaking: EngineClient, tmp_path: Path, output: Path
) -> None:
    path = tmp_path / "nowhere.nrrd"
    with pytest.raises(InputError) as there:
        speaking.segment(path, output)
    with pytest.raises(InputError) as here:
        read_ct(path)
    assert record(sentence_of(there.value)) == record(sentence_of(here.value))
    assert str(there.value) == f"There is no file or folder {path}; check the path."


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: type(reply).__name__)
def test_english_stays_where_it_was_with_the_record_beside_it(reply: object) -> None:
    line = json.loads(encode(reply))
    plain = json.loads(encode(decode(json.dumps({**line, "sentences": {}}))))
    assert {**line, "sentences": {}} == plain and "Only a right kidney was found." in json.dumps(plain)
    assert line["sentences"] == {"Only a right kidney was found.": record(NOTE)}
    assert decode(encode(reply)) == reply and json.loads(encode(decode(encode(reply)))) == line


@pytest.mark.parametrize("wrong", [None, [], "text", {"a": 1}, {str(NOTE): {"context": "a", "text": "b"}}])
def test_records_that_are_wrong_leave_the_english(wrong: object) -> None:
    line = {**json.loads(encode(REPLIES[3])), "sentences": wrong}
    message = decode(json.dumps(line)).message
    assert message == NOTE and not isinstance(message, Sentence)


def test_older_engines_send_no_records() -> None:
    line = json.loads(encode(REPLIES[0]))
    del line["sentences"]
    assert decode(json.dumps(line)) == REPLIES[0]
