"""`kidneyparsing benchmark`: comparisons that take long and are gone on with when they were stopped."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import positive

_DONE_STAYS = "what is done stays, the same command goes on"
_SPEED = (
    "Run our engine, nnU-Net's predictor and MONAI's sliding window with the same network and weights on the same CT, "
    "round by round; print seconds by phase, CPU seconds, peak memory and how equal the labels are."
)
_PEERS = ("nnunet", "monai")
_CLAIMS = "Train small networks of all papers on the same made CTs with the same budget; compare them as the papers do."


def add_benchmark_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `benchmark` with what can be measured."""
    parser = subparsers.add_parser("benchmark", help="measure and compare", description="Comparisons, resumable.")
    kinds = parser.add_subparsers(title="what", metavar="WHAT", required=True)
    _add_claims_parser(kinds)
    _add_speed_parser(kinds)


def _add_claims_parser(kinds: argparse._SubParsersAction) -> None:
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
    claims.set_defaults(run=run_claims, when_cancelled=_DONE_STAYS)


def _add_speed_parser(kinds: argparse._SubParsersAction) -> None:
    speed = kinds.add_parser("speed", help="seconds and memory beside nnU-Net and MONAI", description=_SPEED)
    speed.add_argument("--rounds", type=positive, help="runs of every engine (default 3, with --quick 1)")
    speed.add_argument("--ct", type=Path, metavar="FILE", help="the CT (default: the sample CTA, 512 x 512 x 256)")
    speed.add_argument("--peers", default=",".join(_PEERS), metavar="A,B", help="nnunet, monai (default), or none")
    speed.add_argument("--quick", action="store_true", help="a tiny network and CT, to try the benchmark itself")
    speed.add_argument("--out", type=Path, default=Path("speed"), metavar="FOLDER", help="default: speed")
    speed.set_defaults(run=run_speed, when_cancelled=_DONE_STAYS)


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


def run_speed(arguments: argparse.Namespace) -> int:
    """Measure what is missing, write tables and plots, print the tables and the ratios."""
    from ..evaluation.extras import require
    from ..speed.campaign import Campaign, Plan
    from ..speed.tables import last_line
    from .console import TextConsole

    require("matplotlib", "Plots")
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    campaign = Campaign(Plan(arguments.out, rounds, arguments.ct, _peers(arguments.peers), arguments.quick))
    with TextConsole() as console:
        campaign.run(console)
    print(campaign.write())
    print(last_line(campaign.data))
    return 0


def _peers(text: str) -> tuple[str, ...]:
    from ..errors import InputError

    names = [] if text == "none" else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in _PEERS:
            raise InputError(f"There is no peer {name!r}; choose from {', '.join(_PEERS)}, or none.")
    return tuple(dict.fromkeys(names))
