"""Errors that a user can cause or must hear about, each with the exit code of the command line."""

from __future__ import annotations


class KidneyParsingError(Exception):
    """An expected failure. Its text is one sentence that says what is wrong and how to mend it."""

    exit_code = 1


class InputError(KidneyParsingError):
    """The input or an argument cannot be used: missing, damaged, not a CT volume, output not writable."""

    exit_code = 2


class OutOfMemoryError(KidneyParsingError):
    """The machine or the GPU has too little memory for this volume."""

    exit_code = 3


class Cancelled(KidneyParsingError):
    """The user stopped the run; nothing was written."""

    exit_code = 130
