"""Arguments of `segment` checked before any work: model, device, structures."""

from __future__ import annotations

import argparse
import re

from ..anatomy import STRUCTURES
from ..errors import InputError
from ..inference.options import Options

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def options_from(arguments: argparse.Namespace) -> Options:
    """The run's options. Raises InputError for a model, device or structure that does not exist."""
    device, structures = _device(arguments.device), structures_named(arguments.structures)
    _check_model(arguments.model, structures)
    return Options(
        arguments.model, device, structures, arguments.tta, arguments.quality, arguments.region, arguments.overlap,
        arguments.backend, review=bool(arguments.review or arguments.uncertainty), cleanup=not arguments.raw,
    )  # fmt: skip


def _device(text: str) -> str:
    if not _DEVICE.fullmatch(text):
        raise InputError(f"There is no device {text!r}; choose auto, cpu, cuda, cuda:N or mps.")
    return text


def structures_named(text: str | None) -> tuple[str, ...] | None:
    """The structures in a list such as kidney,tumor; None for all. Raises InputError for one that does not exist."""
    if text is None:
        return None
    known = [entry.name for entry in STRUCTURES]
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in known:
            raise InputError(f"There is no structure {name!r}; choose from {', '.join(known)}.")
    return names


def _check_model(name: str, structures: tuple[str, ...] | None) -> None:
    from ..inference.registry import list_models

    models = {model.name: model for model in list_models()}
    if name not in models:
        raise InputError(f"There is no model {name!r}; choose from {', '.join(models) or 'none: no weights are here'}.")
    for structure in structures or ():
        if structure not in models[name].structures:
            raise InputError(f"The model {name} does not segment {structure}; leave it out of --structures.")


def positive(text: str) -> int:
    """A number of 1 or more, as the type of an argument."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def positive_number(text: str) -> float:
    """A number above 0, as the type of an argument."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def share(text: str) -> float:
    """A number from 0 to 1, as the type of an argument."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError("must be 0 to 1")
    return number
