"""`kidneyparsing train`: train a model on a data set; with torchrun on several GPUs or machines."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import InputError
from .arguments import positive, positive_number, share


def add_train_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `train`."""
    text = "Train a model: all networks that it is made of, one after the other, each in a folder of its own."
    parser = subparsers.add_parser("train", help="train a model", description=text)
    parser.add_argument(
        "--model", required=True, metavar="NAME", help="a model of docs/reproduce.md, locator or second_look"
    )
    parser.add_argument("--config", default="small", help="paper, small (default) or tiny")
    parser.add_argument(
        "--data",
        required=True,
        nargs=2,
        metavar=("LAYOUT", "FOLDER"),
        help="KiPA22, KiTS19, KiTS21, KiTS23, nnU-Net, ours (made scans), or anatomies (made by synthesize)",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="RUN", help="folder of the run (default runs/NAME-CONFIG)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    parser.add_argument("--folds", type=positive, default=5, help="parts of the data (default 5)")
    parser.add_argument("--fold", default="0", help="the part that validates (default 0), or none to train on all")
    parser.add_argument("--steps", type=positive, help="default: the recipe's")
    parser.add_argument("--batch", type=positive, help="samples a step, of all processes (default: the recipe's)")
    parser.add_argument("--rate", type=positive_number, help="learning rate (default: the recipe's)")
    parser.add_argument(
        "--mix", type=Path, metavar="FOLDER", help="with anatomies: real scans to mix in, laid out as synthesize does"
    )
    parser.add_argument("--share", type=share, default=0.25, help="the share of real samples (default 0.25)")
    parser.add_argument("--init", type=Path, metavar="WEIGHTS", help="start from this .safetensors file")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N or mps")
    parser.add_argument("--threads", type=positive, help="CPU threads for training (default: all)")
    parser.add_argument("--release", type=Path, metavar="WEIGHTS", help="at the end write the weights to this folder")
    parser.set_defaults(run=run_train, when_cancelled="the last checkpoint stays, go on with --resume")


def _fold(arguments: argparse.Namespace) -> int | None:
    if arguments.fold == "none":
        return None
    if not arguments.fold.isdigit() or int(arguments.fold) >= arguments.folds:
        raise InputError(f"There is no fold {arguments.fold}; choose 0 to {arguments.folds - 1}, or none.")
    return int(arguments.fold)


def run_train(arguments: argparse.Namespace) -> int:
    """Train (or go on training) every network of the model, then release the weights if asked."""
    from ..allocator import keep_freed_memory

    keep_freed_memory()  # before torch starts threads; every step needs the memory of the one before
    import torch

    from ..networks.devices import choose_device
    from ..training.distributed import distributed
    from ..training.recipes import trainable

    if arguments.release and not arguments.release.is_dir():
        raise InputError(f"There is no folder {arguments.release} to release the weights to; make it first.")
    choose_device(arguments.device)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    output = arguments.output or Path("runs") / f"{arguments.model}-{arguments.config}"
    networks, fold = trainable(arguments.model, arguments.config), _fold(arguments)
    folders = {name: output / name if len(networks) > 1 else output for name in networks}
    _check_resume(folders, arguments.resume)
    with distributed():
        for name, folder in folders.items():
            _train(name, folder, output / "scans", fold, arguments)
    return 0


def _check_resume(folders: dict[str, Path], resume: bool) -> None:
    """A run is neither overwritten nor gone on with unasked."""
    for folder in folders.values():
        if not resume and (folder / "checkpoint.safetensors").exists():
            raise InputError(f"{folder} holds a run already; add --resume to go on with it, or give another -o.")


def _train(name: str, folder: Path, scans: Path, fold: int | None, arguments: argparse.Namespace) -> None:
    from ..training.distributed import rank
    from ..training.release import release
    from ..training.session import Session, make_trainer
    from .console import TextConsole

    layout, data = arguments.data
    session = Session(
        name, arguments.config, layout, Path(data), folder, arguments.folds, fold,
        arguments.steps, arguments.batch, arguments.device, scans,
        arguments.mix, arguments.share, arguments.init, arguments.rate,
    )  # fmt: skip
    with TextConsole(time_left=False) as console:
        trainer = make_trainer(session, console)
        trainer.run()
    if rank() == 0:
        print(f"{name}: {trainer.step} steps done: {trainer.checkpoint_path}")
        if arguments.release:
            print(release(name, folder, arguments.release, arguments.config))
