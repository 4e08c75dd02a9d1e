"""The engine's child process: reads requests, runs them one after the other, keeps the network loaded in between."""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import BinaryIO, NoReturn

from .. import __version__
from ..inference.options import Options
from .failures import failure_reply, is_expected, is_out_of_memory
from .messages import (
    CancelRequest,
    ErrorReply,
    LogReply,
    MessageError,
    ReadyReply,
    Reply,
    SegmentRequest,
    ShutdownRequest,
    decode,
)
from .run import Parser, Run
from .streams import ReplyStream, take_over_standard_streams

ParserFactory = Callable[[Options], Parser]


def load_parser(options: Options) -> Parser:
    """The KidneyParser for these options. Imports torch, hence not before the first run."""
    from ..inference.parser import KidneyParser

    _leave_one_core_free()
    return KidneyParser(options)


def _leave_one_core_free() -> None:
    """Use one thread less than there are cores, at least one, unless the environment says how many."""
    import torch

    # A run that holds every core makes Slicer's window stutter, which feels like the freeze this process avoids.
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 2) - 1)))


class Server:
    """Answers requests until a shutdown request. When the requests' pipe closes, the process exits at once."""

    def __init__(self, requests: BinaryIO, replies: ReplyStream, make_parser: ParserFactory = load_parser) -> None:
        self._requests = requests
        self._replies = replies
        self._make_parser = make_parser
        self._loaded: tuple[Options, Parser] | None = None
        self._queue: queue.Queue[Run | None] = queue.Queue()
        self._runs: dict[str, Run] = {}

    def serve(self) -> NoReturn:
        """Work until told to stop, then end the process."""
        threading.Thread(target=self._read_requests, daemon=True).start()
        self._send(ReadyReply(__version__, os.getpid()))
        while (run := self._queue.get()) is not None:
            self._carry_out(run)
        self._exit()

    def _read_requests(self) -> None:
        try:
            for line in self._requests:
                self._accept(line)
        finally:
            # End of file: whoever asked is gone, and a run without a reader must not go on burning the CPU.
            self._exit()

    def _accept(self, line: bytes) -> None:
        try:
            request = decode(line)
        except MessageError as error:
            self._send(ErrorReply(error.id, str(error), error.exit_code))
            return
        if isinstance(request, SegmentRequest):
            self._runs[request.id] = Run(request, self._send)
            self._queue.put(self._runs[request.id])
        elif isinstance(request, CancelRequest):
            self._cancel(request.id)
        elif isinstance(request, ShutdownRequest):
            self._queue.put(None)
        else:
            self._send(ErrorReply("", "The engine takes requests; this message is a reply.", MessageError.exit_code))

    def _cancel(self, id: str) -> None:
        run = self._runs.get(id)
        if run is not None:
            run.cancel()

    def _carry_out(self, run: Run) -> None:
        id = run.request.id
        try:
            reply: Reply = run.execute(self._parser_for)
        except Exception as error:
            if not is_expected(error):
                self._send(LogReply(id, traceback.format_exc()))
            reply = failure_reply(id, error)
            # The traceback holds the tensors of the run alive.
            error.__traceback__ = None
            if is_out_of_memory(error):
                self._unload()
        self._runs.pop(id, None)
        self._send(reply)

    def _parser_for(self, options: Options) -> Parser:
        if self._loaded is None or self._loaded[0] != options:
            # The old network goes first, so that two never share the memory.
            self._unload()
            self._loaded = (options, self._make_parser(options))
        return self._loaded[1]

    def _unload(self) -> None:
        self._loaded = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _send(self, reply: Reply) -> None:
        try:
            self._replies.send(reply)
        except OSError:
            self._exit()

    def _exit(self) -> NoReturn:
        for run in list(self._runs.values()):
            run.discard()
        # Not sys.exit: that would wait for the run, and finalizing Python under a thread that reads a pipe can abort.
        os._exit(0)


def main(make_parser: ParserFactory = load_parser) -> NoReturn:
    """Serve on this process's stdin and stdout; `make_parser` lets tests run without a network."""
    requests, replies = take_over_standard_streams()
    Server(requests, replies, make_parser).serve()
