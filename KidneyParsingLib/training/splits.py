"""Cross-validation: which cases train and which validate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ..errors import InputError

Split = tuple[list[str], list[str]]


def k_fold(names: Iterable[str], folds: int, seed: int = 0) -> list[Split]:
    """`folds` pairs (training names, validation names), each sorted; every name validates exactly once.

    The sizes of the validation parts differ by one at most. The split depends on the set of names and the seed alone:
    names are ordered by their SHA256, which is the same on every machine and with every version of every library.
    Raises InputError if there are fewer names than folds, fewer than two folds, or a name is there twice.
    """
    ordered = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    if folds < 2:
        raise InputError(f"{folds} folds leave nothing to train on; choose 2 or more.")
    if len(ordered) < folds:
        raise InputError(f"{len(ordered)} cases cannot be split into {folds} folds; give more cases or fewer folds.")
    if len(set(ordered)) < len(ordered):
        raise InputError("Two cases have the same name; rename one, so that no case both trains and validates.")
    parts = [ordered[fold::folds] for fold in range(folds)]
    return [(sorted(set(ordered) - set(part)), sorted(part)) for part in parts]
