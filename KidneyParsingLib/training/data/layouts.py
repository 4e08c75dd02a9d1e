"""The layouts of data sets that can be trained on, by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ...anatomy import STRUCTURES
from ...errors import InputError
from .case import Case, Layout
from .kipa import KIPA22, kipa_cases
from .kits import KITS, kits_cases
from .made import OURS, made_cases
from .nnunet import NNUNET, nnunet_cases

_FINDERS: dict[Layout, Callable[[Path], list[Case]]] = {
    KIPA22: kipa_cases,
    **{layout: partial(kits_cases, layout=layout) for layout in KITS},
    NNUNET: nnunet_cases,
    OURS: made_cases,
}
LAYOUTS: tuple[str, ...] = tuple(layout.name for layout in _FINDERS)


def find_cases(layout: str, folder: str | Path) -> list[Case]:
    """The labelled cases of a data set in a folder, by name; `layout` is one of `LAYOUTS` in any case of letters.

    Raises InputError, one sentence, if there is no such layout or folder, or a file that the layout needs is missing.
    """
    finders = {_key(entry.name): find for entry, find in _FINDERS.items()}
    if _key(layout) not in finders:
        raise InputError(f"There is no data layout {layout!r}; choose from: {', '.join(LAYOUTS)}.")
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give the folder of the data set.")
    return finders[_key(layout)](folder)


def labelled_structures(cases: Sequence[Case]) -> tuple[str, ...]:
    """Names of the structures that a data set labels, in the order of `anatomy.STRUCTURES`; others are background in
    its labels (or kidney: KiTS19's cysts)."""
    labels = {label for case in cases for label in case.structure_of.values()}
    return tuple(s.name for s in STRUCTURES if s.label in labels)


def _key(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())
