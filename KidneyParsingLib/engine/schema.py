"""The protocol as a JSON Schema (draft 2020-12, https://json-schema.org/draft/2020-12), made from its dataclasses."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, Field, fields
from typing import get_args

from .field_types import FIELD_TYPES, RECORDS, Schema
from .messages import SENTENCES, SPOKEN, TYPES, VERSION, Reply, Request, is_required

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def message_schema() -> Schema:
    """The schema of one message; `$defs` holds every type by name, and their unions `request` and `reply`."""
    definitions = {name: _definition(name, cls) for name, cls in TYPES.items()}
    return {
        "$schema": _DIALECT,
        "title": f"KidneyParsing engine protocol, version {VERSION}",
        "description": "One JSON object a line: requests on the engine's stdin, replies on its stdout.",
        "oneOf": [{"$ref": "#/$defs/request"}, {"$ref": "#/$defs/reply"}],
        "$defs": {"request": _union(Request), "reply": _union(Reply), **definitions},
    }


def _union(union: object) -> Schema:
    members = get_args(union)
    return {"oneOf": [{"$ref": f"#/$defs/{name}"} for name, cls in TYPES.items() if cls in members]}


def _definition(name: str, cls: type) -> Schema:
    own = {entry.name: _typed(entry) for entry in fields(cls)}
    if cls in SPOKEN:
        own[SENTENCES] = RECORDS | {"default": {}}
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(cls) or "").split()),
        "properties": {"version": {"const": VERSION}, "type": {"const": name}, **own},
        "required": ["version", "type", *(entry.name for entry in fields(cls) if is_required(entry))],
        # Fields may be added within a version, and a reader ignores those that it does not know.
        "additionalProperties": True,
    }


def _typed(entry: Field) -> Schema:
    default = list(entry.default) if isinstance(entry.default, tuple) else entry.default
    return FIELD_TYPES[str(entry.type)] | ({} if default is MISSING else {"default": default})
