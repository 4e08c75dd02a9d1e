"""The types of the messages' fields, each as a piece of JSON Schema, and the check of a value against it."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_NOTHING: Schema = {"type": "null"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_PLACE: Schema = {
    "type": "object",
    "properties": {
        "structure": _TEXT,
        "reason": _TEXT,
        "center_ras": {"type": "array", "items": _NUMBER, "minItems": 3, "maxItems": 3},
        "ml": _NUMBER,
        "score": _NUMBER,
        "kind": _TEXT,
    },
    "required": ["structure", "reason", "center_ras", "ml", "score", "kind"],
}
# Records of `sentences`, by the English text that they make.
RECORDS: Schema = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {"context": _TEXT, "text": _TEXT, "values": {"type": "object"}},
        "required": ["context", "text", "values"],
    },
}

# Keyed by the annotation as it is written in messages.py, whose annotations are strings.
FIELD_TYPES: dict[str, Schema] = {
    "str": _TEXT,
    "bool": {"type": "boolean"},
    "int": _WHOLE,
    "float": _NUMBER,
    "str | None": {"anyOf": [_TEXT, _NOTHING]},
    "int | None": {"anyOf": [_WHOLE, _NOTHING]},
    "float | None": {"anyOf": [_NUMBER, _NOTHING]},
    "tuple[str, ...]": _TEXTS,
    "tuple[str, ...] | None": {"anyOf": [_TEXTS, _NOTHING]},
    "dict[str, float]": {"type": "object", "additionalProperties": _NUMBER},
    "tuple[Place, ...]": {"type": "array", "items": _PLACE},
}
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def fits(value: Any, schema: Schema) -> bool:
    """Whether a value that JSON was read into is of a type in `FIELD_TYPES`; of JSON Schema it knows what they use."""
    if "anyOf" in schema:
        return any(fits(value, choice) for choice in schema["anyOf"])
    kind = schema["type"]
    # To Python, but not to JSON, true and false are numbers.
    if not isinstance(value, _PYTHON_TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return False
    if kind == "array":
        return _items_fit(value, schema)
    return kind != "object" or _entries_fit(value, schema)


def _items_fit(value: list[Any], schema: Schema) -> bool:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return False
    return all(fits(item, schema["items"]) for item in value)


def _entries_fit(value: dict[str, Any], schema: Schema) -> bool:
    if not set(schema.get("required", ())) <= set(value):
        return False
    properties, other = schema.get("properties", {}), schema.get("additionalProperties")
    types = {key: properties.get(key, other) for key in value}
    return all(fits(value[key], type) for key, type in types.items() if type is not None)
