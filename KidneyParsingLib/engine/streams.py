"""The engine's two pipes: requests on stdin, replies on stdout, and nothing else on either."""

from __future__ import annotations

import os
import sys
import threading
from typing import BinaryIO

from .messages import Reply, encode


class ReplyStream:
    """Writes replies, each as a whole line, from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, reply: Reply) -> None:
        """Write and flush one reply. Raises OSError when nobody reads any more."""
        with self._lock:
            self._stream.write(encode(reply))
            self._stream.flush()


def take_over_standard_streams() -> tuple[BinaryIO, ReplyStream]:
    """Private handles of stdin and stdout.

    Afterwards print() and C libraries write to stderr instead of between the replies, and whatever else reads stdin
    (a library, a grandchild process) finds it empty instead of swallowing requests.
    """
    sys.stdout.flush()
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, ReplyStream(replies)
