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


# torch and OpenVINO say so in a plain RuntimeError when the main memory, not the GPU's, is full; ONNX Runtime in errors
# of its own.
_PLAIN_ERRORS = ("RuntimeException", "Fail")
_ALLOCATION_TEXTS = ("can't alloc", "not enough memory", "out of memory", "failed to allocate")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: in Python, numpy, a backend or on the GPU (judged by name, so that none is imported)."""
    if isinstance(error, (MemoryError, OutOfMemoryError)) or type(error).__name__ == "OutOfMemoryError":
        return True
    is_plain = isinstance(error, RuntimeError) or type(error).__name__ in _PLAIN_ERRORS
    return is_plain and any(text in str(error).lower() for text in _ALLOCATION_TEXTS)
