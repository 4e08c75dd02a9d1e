"""The models that users can choose, from the manifest beside the weights. Needs no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..errors import InputError

WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"


@dataclass(frozen=True)
class ModelInfo:
    """One released model: its weights file with SHA256 and size, what it segments and how well (`scores`)."""

    name: str
    description: str
    structures: tuple[str, ...]
    weights: str
    sha256: str
    licence: str
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    selectable: bool = True

    @property
    def path(self) -> Path:
        """The weights file."""
        return WEIGHTS_FOLDER / self.weights

    @property
    def megabytes(self) -> float:
        """Size of the weights file in MB, 0 where it is missing."""
        return self.path.stat().st_size / 1e6 if self.path.is_file() else 0.0


@lru_cache(maxsize=1)
def _manifest() -> dict[str, ModelInfo]:
    try:
        entries = json.loads((WEIGHTS_FOLDER / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{WEIGHTS_FOLDER / 'manifest.json'} is missing or damaged; install the package again."
        ) from error
    return {e["name"]: ModelInfo(**e | {"structures": tuple(e["structures"])}) for e in entries}


def list_models() -> list[ModelInfo]:
    """The models that can be chosen by name."""
    return [info for info in _manifest().values() if info.selectable]


def find_model(name: str) -> ModelInfo:
    """The model called `name`. Raises InputError, naming the models there are, if there is none."""
    if name not in _manifest():
        names = ", ".join(info.name for info in list_models())
        raise InputError(f"There is no model {name!r}; choose one of: {names}.")
    return _manifest()[name]
