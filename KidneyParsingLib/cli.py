"""The program `kidneyparsing`: which command to run, and how failures become one sentence and an exit code.

Exit codes: 0 done, 1 unexpected failure, 2 bad input, 3 out of memory, 130 cancelled.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from . import __version__
from .commands.benchmark import add_benchmark_parser
from .commands.engine import add_engine_parser
from .commands.evaluate import add_evaluate_parser
from .commands.export import add_export_parser
from .commands.models import add_models_parser
from .commands.segment import add_segment_parser
from .commands.synthesize import add_synthesize_parser
from .commands.train import add_train_parser
from .errors import Cancelled, InputError, KidneyParsingError, OutOfMemoryError, is_out_of_memory
from .file_names import allow_any_file_name

PROGRAM = "kidneyparsing"
DESCRIPTION = "Kidney, tumor, artery, vein and ureter from CT. Research software, not a medical device."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: that of this process) and return its exit code; `--help` raises SystemExit."""
    allow_any_file_name()
    parsed = argparse.Namespace()
    try:
        parsed = build_parser().parse_args(arguments)
        return parsed.run(parsed)
    except (Exception, KeyboardInterrupt) as error:
        return _report(error, getattr(parsed, "when_cancelled", "nothing was written"))


def program() -> NoReturn:
    """The console script. `segment` ends at once when its files are written: taking down torch's and OpenVINO's threads
    and memory one by one would take half a second."""
    code = main()
    if sys.argv[1:2] == ["segment"]:
        with suppress(OSError):  # whoever read our output may be gone
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def build_parser() -> argparse.ArgumentParser:
    """The parser with every subcommand; each sets `run`, which takes the parsed arguments and returns an exit code, and
    may set `when_cancelled`, what is said of its work when it is stopped."""
    parser = _Parser(prog=PROGRAM, description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_segment_parser(subparsers)
    add_export_parser(subparsers)
    add_models_parser(subparsers)
    add_evaluate_parser(subparsers)
    add_synthesize_parser(subparsers)
    add_train_parser(subparsers)
    add_benchmark_parser(subparsers)
    add_engine_parser(subparsers)
    return parser


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaints are an InputError like all others, without the usage text before them."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help.")


def _report(error: BaseException, when_cancelled: str) -> int:
    if os.environ.get("KIDNEYPARSING_DEBUG"):
        traceback.print_exception(error)
    expected = _expected(error, when_cancelled)
    sentence = str(expected or f"{type(error).__name__}: {error}").replace("\n", " ")
    print(f"{PROGRAM}: error: {sentence}", file=sys.stderr)
    return expected.exit_code if expected else KidneyParsingError.exit_code


def _expected(error: BaseException, when_cancelled: str) -> KidneyParsingError | None:
    """The error as one of ours: itself, a cancel or a lack of memory in disguise; None if it is unexpected.

    `when_cancelled` says what of the command's work stays.
    """
    if isinstance(error, KidneyParsingError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Cancelled(f"Cancelled; {when_cancelled}.")
    if is_out_of_memory(error):
        return OutOfMemoryError("There is too little memory for this CT; free some, or choose --device cpu.")
    return None
