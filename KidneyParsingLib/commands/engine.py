"""`kidneyparsing engine`: the process that another program starts and talks JSON lines with."""

from __future__ import annotations

import argparse
import json


def add_engine_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `engine`."""
    description = "Takes requests on stdin and replies on stdout, one JSON object a line (docs/engine.md)."
    parser = subparsers.add_parser("engine", help="serve another program over JSON lines", description=description)
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of all messages and stop")
    parser.set_defaults(run=run_engine)


def run_engine(arguments: argparse.Namespace) -> int:
    """Print the schema, or serve until stdin closes."""
    if not arguments.schema:
        from ..engine.server import main

        main()
    from ..engine.schema import message_schema

    print(json.dumps(message_schema(), indent=2))
    return 0
