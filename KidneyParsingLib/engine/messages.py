"""What the engine and its callers say to each other: one JSON object a line, UTF-8.

A caller writes requests to the engine's stdin and reads replies from its stdout. Every object carries the protocol's
`version` and its `type` (the key in `TYPES`); the other keys are the fields of the dataclass. Keys that this version
does not know are ignored, so that fields can be added without a new version. Texts for the user are English and, where
the other side is this library too, sentences that can be translated. docs/engine.md describes the conversation.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any

from ..errors import InputError
from ..inference.options import DEFAULT_MODEL, Options
from ..sentences import records_in, texts_of, with_sentences
from .field_types import FIELD_TYPES, RECORDS, fits

_ = texts_of(__name__)

VERSION = 1
# A place to look at, as in `review.ReviewPlace`: structure, reason, center_ras (mm), ml, score, kind.
Place = dict[str, Any]


class MessageError(InputError):
    """A line is not a message of this protocol. `id` is that of the run it was about, or empty."""

    def __init__(self, text: str, record: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.id = str((record or {}).get("id", ""))


@dataclass(frozen=True)
class SegmentRequest:
    """Segment the CT at path `ct` into the file `output` (.seg.nrrd); `id` names the run in every reply about it.

    `threads` is how many CPU threads the run may use, None for all cores but one; the other fields are the Options.
    """

    id: str
    ct: str
    output: str
    model: str = DEFAULT_MODEL
    device: str = "auto"
    structures: tuple[str, ...] | None = None
    tta: bool = False
    quality: str = "default"
    region: str = "auto"
    overlap: float | None = None
    backend: str = "auto"
    review: bool = False
    cleanup: bool = True
    threads: int | None = None

    @classmethod
    def of(cls, id: str, ct: str, output: str, options: Options, threads: int | None = None) -> SegmentRequest:
        """The request for a run with these options."""
        return cls(id, ct, output, threads=threads, **asdict(options))

    @property
    def options(self) -> Options:
        """The run's options. Raises InputError for one that does not exist."""
        return Options(**{entry.name: getattr(self, entry.name) for entry in fields(Options)})


@dataclass(frozen=True)
class CancelRequest:
    """Stop the run `id` (or never start it); answered by CancelledReply, or by nothing if that run is over."""

    id: str


@dataclass(frozen=True)
class ShutdownRequest:
    """Exit after the requests that came before this one. Closing the engine's stdin stops it at once instead."""


@dataclass(frozen=True)
class ReadyReply:
    """The engine has started and reads requests."""

    library_version: str
    pid: int


@dataclass(frozen=True)
class ProgressReply:
    """Run `id` has done `fraction` (0..1, never falling) and is now in `phase`.

    `seconds_left` is how long the run will still take, measured, or None while there is too little to measure.
    """

    id: str
    fraction: float
    phase: str
    seconds_left: float | None = None


@dataclass(frozen=True)
class LogReply:
    """Text for a log window, such as a traceback; `id` is empty when it belongs to no run."""

    id: str
    text: str


@dataclass(frozen=True)
class ResultReply:
    """Run `id` wrote `output` in `seconds`; `volumes_ml` is keyed by segment id, `notes` are for the user to read.

    `phases` are the seconds spent in each phase, in their order; `places` those that a user should look at first.
    """

    id: str
    output: str
    volumes_ml: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class ErrorReply:
    """Run `id` failed, or (empty id) a request could not be understood. `message` is a sentence for the user."""

    id: str
    message: str
    exit_code: int


@dataclass(frozen=True)
class CancelledReply:
    """Run `id` was cancelled and wrote nothing."""

    id: str


Request = SegmentRequest | CancelRequest | ShutdownRequest
Reply = ReadyReply | ProgressReply | LogReply | ResultReply | ErrorReply | CancelledReply

TYPES: dict[str, type] = {
    "segment": SegmentRequest,
    "cancel": CancelRequest,
    "shutdown": ShutdownRequest,
    "ready": ReadyReply,
    "progress": ProgressReply,
    "log": LogReply,
    "result": ResultReply,
    "error": ErrorReply,
    "cancelled": CancelledReply,
}
# The replies with texts for the user. In a line they also hold, under SENTENCES, how those texts were made.
SPOKEN = (ProgressReply, LogReply, ResultReply, ErrorReply)
SENTENCES = "sentences"
_NAMES = {cls: name for name, cls in TYPES.items()}


def encode(message: Request | Reply) -> bytes:
    """The message as one line, newline included. Non-ASCII text is escaped, so that no console codec can break it."""
    record = {"version": VERSION, "type": _NAMES[type(message)], **asdict(message)}
    if isinstance(message, SPOKEN):
        record[SENTENCES] = records_in(record)
    return (json.dumps(record, default=_plain) + "\n").encode("ascii")


def _plain(value: Any) -> Any:
    """A number of numpy as Python's; raises TypeError for what is no number."""
    if not hasattr(value, "tolist"):
        raise TypeError(f"{type(value).__name__} cannot be sent in a message")
    return value.tolist()


def decode(line: bytes | str) -> Request | Reply:
    """The message in a line. Raises MessageError with a sentence if there is none or it is of another version."""
    record = _record(line)
    if record.get("version") != VERSION:
        raise MessageError(
            _(
                "This engine speaks protocol version {version}, not {other}; use the module and the library of the "
                "same release."
            ).format(version=VERSION, other=record.get("version")),
            record,
        )
    cls = TYPES.get(str(record.get("type")))
    if cls is None:
        raise MessageError(
            _("There is no message type {type!r}; known types: {types}.").format(
                type=record.get("type"), types=", ".join(TYPES)
            ),
            record,
        )
    values = {entry.name: _value(record, entry) for entry in fields(cls) if _is_given(record, entry)}
    return cls(**with_sentences(values, _sentences(record)))


def is_required(entry: Field) -> bool:
    """Whether a message without this field is refused."""
    return entry.default is MISSING and entry.default_factory is MISSING


def _record(line: bytes | str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MessageError(_("A message must be one JSON object on one line ({error}).").format(error=error)) from None
    if not isinstance(record, dict):
        raise MessageError(_("A message must be a JSON object, not {type}.").format(type=type(record).__name__))
    return record


def _is_given(record: dict[str, Any], entry: Field) -> bool:
    if entry.name not in record and is_required(entry):
        raise MessageError(
            _("A {type} message needs the field {field!r}.").format(type=record["type"], field=entry.name), record
        )
    return entry.name in record


def _sentences(record: dict[str, Any]) -> dict[str, Any]:
    records = record.get(SENTENCES, {})
    return records if fits(records, RECORDS) else {}


def _value(record: dict[str, Any], entry: Field) -> Any:
    value = record[entry.name]
    if not fits(value, FIELD_TYPES[str(entry.type)]):
        text = _("Field {field!r} of a {type} message must be of type {wanted}.")
        raise MessageError(text.format(field=entry.name, type=record["type"], wanted=entry.type), record)
    return tuple(value) if isinstance(value, list) else value
