"""The models that users can choose: the systems whose networks are in the manifest beside the weights (without the
one that only looks again a system goes too). Needs no torch."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..anatomy import STRUCTURES
from ..errors import InputError
from ..sentences import texts_of
from .systems import SYSTEMS, System

_ = texts_of(__name__)

_TINY = "-tiny."
_RELEASED = Path(__file__).resolve().parent.parent / "weights"
# Set to a folder that `train --release` wrote to, it makes those networks the ones that are used.
WEIGHTS_VARIABLE = "KIDNEYPARSING_WEIGHTS"


def weights_folder() -> Path:
    """The folder of weights and manifest: the package's, or the one that KIDNEYPARSING_WEIGHTS names."""
    return Path(os.environ.get(WEIGHTS_VARIABLE) or _RELEASED)


@dataclass(frozen=True)
class NetworkInfo:
    """One released network: its weights file with SHA256, what it segments and the licence of the weights."""

    name: str
    structures: tuple[str, ...]
    weights: str
    sha256: str
    licence: str

    @property
    def path(self) -> Path:
        """The weights file."""
        return weights_folder() / self.weights

    @property
    def megabytes(self) -> float:
        """Size of the weights file in MB, 0 where it is missing."""
        return self.path.stat().st_size / 1e6 if self.path.is_file() else 0.0


@dataclass(frozen=True)
class ModelInfo:
    """One model to choose: a system with its released networks, and how well it does (`scores`: test, structure,
    Dice)."""

    system: System
    networks: tuple[NetworkInfo, ...]
    scores: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name to choose it by."""
        return self.system.name

    @property
    def description(self) -> str:
        """What it is, where it was published, and whether its weights are there to show it only."""
        text = _("{summary} {reference}.")
        if any(_TINY in network.weights for network in self.networks):
            text = _("{summary} {reference}. Weights trained for minutes: a demonstration.")
        return text.format(summary=self.system.summary, reference=self.system.reference)

    @property
    def structures(self) -> tuple[str, ...]:
        """What it segments, in the order of `anatomy.STRUCTURES`."""
        found = {s for n in self.networks if n.name in self.system.members for s in n.structures}
        return tuple(s.name for s in STRUCTURES if s.name in found)

    @property
    def network_names(self) -> tuple[str, ...]:
        """The names of its networks."""
        return tuple(network.name for network in self.networks)

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of its weights files."""
        return tuple(network.weights for network in self.networks)

    @property
    def licence(self) -> str:
        """The licences of its weights."""
        return ", ".join(dict.fromkeys(network.licence for network in self.networks))

    @property
    def megabytes(self) -> float:
        """Size of its weights files in MB."""
        return sum(network.megabytes for network in self.networks)


def _manifest() -> dict:
    path = weights_folder() / "manifest.json"
    try:
        return _read_manifest(path, path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        chosen = _("set {variable} to a folder of released weights, or unset it").format(variable=WEIGHTS_VARIABLE)
        remedy = chosen if os.environ.get(WEIGHTS_VARIABLE) else _("install the package again")
        raise InputError(_("{path} is missing or damaged; {remedy}.").format(path=path, remedy=remedy)) from error


@lru_cache(maxsize=1)
def _read_manifest(path: Path, changed: int) -> dict:
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(key), dict) for key in ("networks", "scores")):
        raise ValueError(path)
    return manifest


def find_network(name: str) -> NetworkInfo:
    """The released network of this name. Raises InputError if there is none."""
    entry = _manifest()["networks"].get(name)
    if entry is None:
        raise InputError(
            _("There are no weights for the network {name!r}; train and release it first.").format(name=name)
        )
    return NetworkInfo(name, **entry | {"structures": tuple(entry["structures"])})


def list_models() -> list[ModelInfo]:
    """The models that can be chosen by name."""
    released, scores = _manifest()["networks"], _manifest()["scores"]
    return [
        ModelInfo(system, tuple(find_network(n) for n in system.networks if n in released), scores.get(system.name, {}))
        for system in SYSTEMS
        if all(network in released for network in system.networks if network != system.second_look)
    ]


def find_model(name: str) -> ModelInfo:
    """The model called `name`. Raises InputError, naming the models there are, if there is none."""
    models = {info.name: info for info in list_models()}
    if name not in models:
        raise InputError(
            _("There is no model {name!r}; choose one of: {models}.").format(name=name, models=", ".join(models))
        )
    return models[name]
