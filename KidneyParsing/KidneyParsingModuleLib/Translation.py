"""What the library says, in the user's language. The module's own texts are translated by `_` where they are made."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from string import Formatter

from slicer import i18n

from KidneyParsingLib.errors import KidneyParsingError
from KidneyParsingLib.sentences import Sentence, sentence_of


def translated(text: str) -> str:
    """A sentence of the library, and the sentences within it, in the language of the application; other texts as they
    are."""
    if not isinstance(text, Sentence):
        return text
    template = _translatedTemplate(text)
    values = {name: translated(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return template.format(**values) if values else template


def translatedError(error: BaseException) -> str:
    """What an error says, in the language of the application where the library raised it."""
    return translated(sentence_of(error))


@contextmanager
def errorsTranslated() -> Iterator[None]:
    """Errors that the library raises within are raised with their text translated, for what shows errors itself."""
    try:
        yield
    except KidneyParsingError as error:
        error.args = (translatedError(error),)
        raise


def _translatedTemplate(sentence: Sentence) -> str:
    template = i18n.translate(sentence.context, sentence.template)
    # As Slicer's tr does it: a translator must not change what stands in braces.
    if _gaps(template) == _gaps(sentence.template):
        return template
    logging.warning("The translation of %r to %r does not have the same gaps.", sentence.template, template)
    return sentence.template


def _gaps(template: str) -> set[tuple[str | None, ...]] | None:
    """What stands in braces, None where braces do not match."""
    try:
        return {gap[1:] for gap in Formatter().parse(template) if gap[1] is not None}
    except ValueError:
        return None
