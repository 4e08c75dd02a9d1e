"""What the user chooses for a run, and where that is remembered."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from KidneyParsingLib.inference.options import AUTO, DEFAULT_MODEL, QUALITIES, Options

GPU = "mps" if sys.platform == "darwin" else "cuda"
DEVICES = (AUTO, "cpu", GPU)
_ALL = "all"
_NONE = "none"


@dataclass(frozen=True)
class RunChoices:
    """`structures` are those to look for, by name; None is all that the model knows."""

    model: str = DEFAULT_MODEL
    device: str = AUTO
    quality: str = "default"
    structures: tuple[str, ...] | None = None

    @property
    def options(self) -> Options:
        """The engine's options for a run with these choices, places to review included."""
        return Options(self.model, self.device, self.structures, quality=self.quality, review=True)


class ChoiceStore:
    """Reads the choices of the scene, for what it lacks those of the last time, for what lacks there too the defaults.

    `recall(field)` and `remember(field, text)` are the settings of the user; the fields of a parameter node are texts,
    empty where nothing was chosen. What no longer exists, such as a model of an older version, counts as not chosen.
    """

    def __init__(self, recall: Callable[[str], str], remember: Callable[[str, str], None]) -> None:
        self._recall = recall
        self._remember = remember

    def read(self, parameterNode: Any, structuresOf: dict[str, tuple[str, ...]]) -> RunChoices:
        """The choices for a parameter node; `structuresOf` are the models that there are, with their structures."""
        default = RunChoices()
        model = self._one(parameterNode, "modelName", structuresOf, default.model)
        device = self._one(parameterNode, "device", DEVICES, default.device)
        quality = self._one(parameterNode, "quality", QUALITIES, default.quality)
        return RunChoices(model, device, quality, self._structures(parameterNode, structuresOf.get(model, ())))

    def write(self, parameterNode: Any, choices: RunChoices) -> None:
        """Store choices in the scene and for the next time."""
        structures = _ALL if choices.structures is None else ",".join(choices.structures) or _NONE
        values = {"modelName": choices.model, "device": choices.device, "quality": choices.quality}
        for field, value in {**values, "structures": structures}.items():
            setattr(parameterNode, field, value)
            self._remember(field, value)

    def _one(self, parameterNode: Any, field: str, known: Any, default: str) -> str:
        for value in (getattr(parameterNode, field), self._recall(field)):
            if value in known:
                return value
        return default

    def _structures(self, parameterNode: Any, known: tuple[str, ...]) -> tuple[str, ...] | None:
        text = parameterNode.structures or self._recall("structures") or _ALL
        if text == _NONE:
            return ()
        chosen = set(text.split(","))
        kept = tuple(name for name in known if name in chosen)
        return kept if kept and kept != known else None
