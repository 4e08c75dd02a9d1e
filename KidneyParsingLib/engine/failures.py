"""What a user is told when a run fails."""

from __future__ import annotations

from ..errors import Cancelled, KidneyParsingError, OutOfMemoryError
from .messages import CancelledReply, ErrorReply, Reply

_OUT_OF_MEMORY = (
    "There is not enough memory for this CT; close other programs, crop the CT to the kidneys or, "
    "on a small GPU, choose the device cpu."
)
# torch says so in a plain RuntimeError when the main memory, not the GPU's, is full.
_ALLOCATION_TEXTS = ("can't allocate memory", "not enough memory", "out of memory", "failed to allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: in Python, numpy, torch or on the GPU (judged by name, so torch is not imported)."""
    if isinstance(error, (MemoryError, OutOfMemoryError)) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _ALLOCATION_TEXTS)


def is_expected(error: BaseException) -> bool:
    """Whether the error's own sentence says all, so that no traceback is needed."""
    return isinstance(error, KidneyParsingError)


def failure_reply(id: str, error: BaseException) -> Reply:
    """The reply that ends run `id` after `error`."""
    if isinstance(error, Cancelled):
        return CancelledReply(id)
    if isinstance(error, KidneyParsingError):
        return ErrorReply(id, str(error), error.exit_code)
    if is_out_of_memory(error):
        return ErrorReply(id, _OUT_OF_MEMORY, OutOfMemoryError.exit_code)
    message = f"The run failed unexpectedly ({type(error).__name__}: {error}); the log holds the details."
    return ErrorReply(id, message, KidneyParsingError.exit_code)
