"""What a user is told when a run fails."""

from __future__ import annotations

from ..errors import Cancelled, KidneyParsingError, OutOfMemoryError, is_out_of_memory
from ..sentences import sentence_of, texts_of
from .messages import CancelledReply, ErrorReply, Reply

_ = texts_of(__name__)

_OUT_OF_MEMORY = _(
    "There is not enough memory for this CT; close other programs, crop the CT to the kidneys or, "
    "on a small GPU, choose the device cpu."
)


def is_expected(error: BaseException) -> bool:
    """Whether the error's own sentence says all, so that no traceback is needed."""
    return isinstance(error, KidneyParsingError)


def failure_reply(id: str, error: BaseException) -> Reply:
    """The reply that ends run `id` after `error`."""
    if isinstance(error, Cancelled):
        return CancelledReply(id)
    if isinstance(error, KidneyParsingError):
        return ErrorReply(id, sentence_of(error), error.exit_code)
    if is_out_of_memory(error):
        return ErrorReply(id, _OUT_OF_MEMORY, OutOfMemoryError.exit_code)
    message = _("The run failed unexpectedly ({type}: {error}); the log holds the details.")
    return ErrorReply(id, message.format(type=type(error).__name__, error=error), KidneyParsingError.exit_code)
