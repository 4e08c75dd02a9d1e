"""The engine's child process: reads requests, runs them one after the other, keeps the network loaded in between."""

from __future__ import annotations

import gc
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import BinaryIO, NoReturn

from .. import __version__
from ..allocator import give_back_memory, keep_freed_memory
from ..errors import Cancelled, is_out_of_memory
from ..file_names import allow_any_file_name
from ..inference.options import Options
from ..progress import Log
from ..sentences import sentence_of, texts_of
from ..threads import use_threads
from .failures import failure_reply, is_expected
from .long_call import LongCall
from .messages import (
    CancelledReply,
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

_ = texts_of(__name__)

# Makes the parser of a run, which may use so many threads (None: all cores but one); later runs may be given it too.
ParserFactory = Callable[[Options, int | None, Log], Parser]


def load_parser(options: Options, threads: int | None, log: Log) -> Parser:
    """The KidneyParser for these options. Imports what computes, hence not before the first run."""
    from ..inference.parser import KidneyParser

    use_threads(threads)
    return KidneyParser(options, log=log)


class Server:
    """Answers requests until a shutdown request. When the requests' pipe closes, the process exits at once."""

    def __init__(self, requests: BinaryIO, replies: ReplyStream, make_parser: ParserFactory = load_parser) -> None:
        self._requests = requests
        self._replies = replies
        self._make_parser = make_parser
        self._loaded: tuple[tuple[Options, int | None], LongCall[Parser]] | None = None
        self._queue: queue.Queue[Run | None] = queue.Queue()
        self._runs: dict[str, Run] = {}
        self._current = ""

    def serve(self) -> NoReturn:
        """Work until told to stop, then end the process."""
        threading.Thread(target=self._read_requests, daemon=True).start()
        self._send(ReadyReply(__version__, os.getpid()))
        while (run := self._queue.get()) is not None:
            if run.begin():
                self._carry_out(run)
            del run
            gc.collect()
            give_back_memory()
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
            self._send(ErrorReply(error.id, sentence_of(error), error.exit_code))
            return
        if isinstance(request, SegmentRequest):
            self._enqueue(request)
        elif isinstance(request, CancelRequest):
            self._cancel(request.id)
        elif isinstance(request, ShutdownRequest):
            self._queue.put(None)
        else:
            text = _("The engine takes requests; this message is a reply.")
            self._send(ErrorReply("", text, MessageError.exit_code))

    def _enqueue(self, request: SegmentRequest) -> None:
        if request.id in self._runs:
            # Not in the name of that run, for which it would be the end.
            text = _("There is a run {id!r} already; give every run an id of its own.")
            self._send(ErrorReply("", text.format(id=request.id), MessageError.exit_code))
            return
        run = self._runs[request.id] = Run(request, self._send)
        self._queue.put(run)

    def _cancel(self, id: str) -> None:
        run = self._runs.get(id)
        if run is not None and run.cancel():
            del self._runs[id]
            self._send(CancelledReply(id))

    def _carry_out(self, run: Run) -> None:
        id = self._current = run.request.id
        try:
            reply: Reply = run.execute(self._parser_for)
        except Exception as error:
            if not is_expected(error):
                self._log(traceback.format_exc())
            reply = failure_reply(id, error)
            # The traceback holds the tensors of the run alive.
            error.__traceback__ = None
            if is_out_of_memory(error):
                self._unload(all_networks=True)
        self._runs.pop(id, None)
        self._current = ""
        self._send(reply)

    def _log(self, text: str) -> None:
        self._send(LogReply(self._current, text))

    def _parser_for(self, options: Options, threads: int | None, check: Callable[[], None]) -> Parser:
        """The parser of a run. A cancelled run leaves it to load on, as the next one will probably want it."""
        wanted = options, threads
        if self._loaded is None or self._loaded[0] != wanted:
            if self._loaded is not None:
                self._loaded[1].wait(check)
            # The old network goes first, so that two never share the memory.
            self._unload()
            self._loaded = wanted, LongCall(lambda: self._make_parser(options, threads, self._log))
        parser = self._result_of(self._loaded[1], check)
        use_threads(threads)  # loading set it for its own thread
        return parser

    def _result_of(self, loading: LongCall[Parser], check: Callable[[], None]) -> Parser:
        try:
            return loading.result(check)
        except Cancelled:
            raise
        except BaseException:
            self._loaded = None
            raise

    def _unload(self, all_networks: bool = False) -> None:
        self._loaded = None
        models = sys.modules.get("KidneyParsingLib.inference.models")
        if all_networks and models is not None:
            models.unload()
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
    if not sys.stdin.isatty():
        # Ctrl-C reaches the caller, too, who decides what becomes of the run.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    allow_any_file_name()
    keep_freed_memory()
    requests, replies = take_over_standard_streams()
    Server(requests, replies, make_parser).serve()
