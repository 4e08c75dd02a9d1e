"""`kidneyparsing benchmark`: comparisons that take long and are gone on with when they were stopped."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import positive

_CLAIMS = "Train small networks of all papers on the same made CTs with the same budget; compare them as the papers do."


def add_benchmark_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `benchmark` with what can be measured."""
    parser = subparsers.add_parser("benchmark", help="measure and compare", description="Comparisons, resumable.")
    kinds = parser.add_subparsers(title="what", metavar="WHAT", required=True)
    claims = kinds.add_parser("claims", help="the papers' claims, measured again", description=_CLAIMS)
    claims.add_argument("folder", type=Path, metavar="FOLDER", help="everything is kept here; the same again goes on")
    claims.add_argument("--spl", type=Path, metavar="FOLDER", help="the SPL abdominal atlas, to make the CTs from")
    claims.add_argument("--kidneys", type=Path, metavar="FOLDER", help="kidney atlas")
    claims.add_argument("--config", default="tiny", choices=("tiny", "small", "paper"), help="default tiny")
    claims.add_argument("--steps", type=positive, default=2000, help="of every training (default 2000)")
    claims.add_argument("--seeds", type=positive, default=3, help="repeats of every training (default 3)")
    claims.add_argument("--scans", type=int, nargs=2, default=(20, 12), metavar=("TRAIN", "TEST"), help="default 20 12")
    claims.add_argument("--jobs", type=positive, default=1, help="trainings at a time (default 1)")
    claims.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    claims.add_argument("--table-only", action="store_true", help="train nothing; write the table of what is there")
    claims.set_defaults(run=run_claims, when_cancelled="what is done stays, the same command goes on")


def run_claims(arguments: argparse.Namespace) -> int:
    """Make what is missing, then print where the table is."""
    from ..claims.campaign import Campaign, make_scans, train_all
    from ..claims.results import write_page
    from .console import TextConsole

    train, test = arguments.scans
    campaign = Campaign(
        arguments.folder, arguments.config, arguments.steps, seeds=arguments.seeds, train=train, test=test,
        device=arguments.device,
    )  # fmt: skip
    with TextConsole() as console:
        if arguments.spl and not arguments.table_only:
            make_scans(campaign, arguments.spl, arguments.kidneys, console)
        if not arguments.table_only:
            train_all(campaign, arguments.jobs, console)
        path = write_page(campaign, arguments.jobs, console)
    print(path)
    return 0
