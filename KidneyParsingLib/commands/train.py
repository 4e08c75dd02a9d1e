"""`kidneyparsing train`: train a model on made anatomies; a run that was stopped goes on where it was."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_train_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `train`."""
    parser = subparsers.add_parser("train", help="train a model", description="Train a model on made anatomies.")
    parser.add_argument("anatomies", type=Path, metavar="FOLDER", help="made by synthesize --anatomies")
    parser.add_argument("--model", required=True, help="locator or ba_net")
    parser.add_argument("--config", default="small", help="small (default) or paper")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RUN", help="folder of log and checkpoint")
    parser.add_argument("--steps", type=_positive, help="default: the recipe's")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--threads", type=int, help="CPU threads for training (default: all)")
    parser.add_argument("--release", type=Path, metavar="WEIGHTS", help="at the end write the weights to this folder")
    parser.set_defaults(run=run_train)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def run_train(arguments: argparse.Namespace) -> int:
    """Train (or go on training), then release the weights if asked."""
    import torch

    from ..errors import InputError
    from ..training.recipes import make_trainer
    from ..training.release import release

    if arguments.release and not arguments.release.is_dir():
        raise InputError(f"There is no folder {arguments.release} to release the weights to; make it first.")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    trainer = make_trainer(
        arguments.model, arguments.anatomies, arguments.output, arguments.steps, arguments.device, arguments.config
    )
    trainer.run()
    print(f"{trainer.step} steps done: {trainer.checkpoint_path}")
    if arguments.release:
        print(release(arguments.model, arguments.output, arguments.release, arguments.config))
    return 0
