"""Sentences for the user that can be translated after they were made.

The library speaks English: on the command line, in Python, in files. What it says to the user is made by the function
`_` of a file, which `texts_of` gives. Slicer's tools collect the literals in its calls for translators, and the Slicer
module looks a sentence up in the user's language, as it remembers its template and what was put into that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

# A sentence in JSON: `context`, `text` (the English template), and `values` for its gaps: texts, numbers, records.
Record = dict[str, Any]


class Sentence(str):
    """A finished English text that remembers how it was made.

    `template` holds named gaps, which `values` fill: texts, numbers, or sentences that are translated themselves.
    Translations of the template are found under `context`. A template without gaps is a sentence already.
    """

    context: str
    template: str
    values: dict[str, Any]

    def __new__(cls, context: str, template: str, values: dict[str, Any] | None = None) -> Sentence:
        plain = {name: _plain(value) for name, value in (values or {}).items()}
        sentence = super().__new__(cls, template.format(**plain) if plain else template)
        sentence.context, sentence.template, sentence.values = context, template, plain
        return sentence

    def format(self, **values: Any) -> Sentence:
        """The sentence whose gaps these values fill."""
        return Sentence(self.context, self.template, values)

    def __reduce__(self) -> tuple:
        # Copies and pickles remember, too.
        return Sentence, (self.context, self.template, self.values)


def texts_of(module: str) -> Callable[[str], Sentence]:
    """The function `_` of a file, given its `__name__`: makes a template or sentence of a literal.

    The context is the one that Slicer's tools give a file: its name after that of its package's folder.
    """
    return partial(Sentence, ".".join(module.split(".")[-2:]))


def sentence_of(error: BaseException) -> str:
    """What an error says, as the sentence that it was raised with where it was one."""
    said = error.args[0] if len(error.args) == 1 else None
    return said if isinstance(said, Sentence) else str(error)


def record(sentence: Sentence) -> Record:
    """The sentence as plain JSON."""
    values = {name: record(value) if isinstance(value, Sentence) else value for name, value in sentence.values.items()}
    return {"context": sentence.context, "text": sentence.template, "values": values}


def from_record(entry: Any, english: str) -> str:
    """The sentence of a record, if it reads `english`; else that text as it is."""
    try:
        sentence = _sentence(entry)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return english
    return sentence if sentence == english else english


def records_in(data: Any) -> dict[str, Record]:
    """The records of all sentences in lists and dicts, by their English text."""
    if isinstance(data, Sentence):
        return {str(data): record(data)}
    parts = data.values() if isinstance(data, dict) else data if isinstance(data, (list, tuple)) else ()
    return {english: entry for part in parts for english, entry in records_in(part).items()}


def with_sentences(data: Any, records: dict[str, Record]) -> Any:
    """Lists and dicts with the texts that `records` know as sentences."""
    if isinstance(data, str):
        return from_record(records[data], data) if data in records else data
    if isinstance(data, dict):
        return {key: with_sentences(value, records) for key, value in data.items()}
    return type(data)(with_sentences(value, records) for value in data) if isinstance(data, (list, tuple)) else data


def _sentence(entry: Any) -> Sentence:
    values = {name: _sentence(value) if isinstance(value, dict) else value for name, value in entry["values"].items()}
    return Sentence(str(entry["context"]), str(entry["text"]), values)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: numbers of numpy as Python's, paths as texts."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    return value.item() if hasattr(value, "item") else str(value)
