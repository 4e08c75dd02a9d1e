"""What a user may choose for one run."""

from __future__ import annotations

from dataclasses import dataclass

from ..anatomy import STRUCTURES
from ..errors import InputError

DEFAULT_MODEL = "ba_net"


@dataclass(frozen=True)
class Options:
    """`model` is a name of `kidneyparsing models`; `device` auto, cpu, cuda, cuda:N or mps; `structures` those to keep
    (None: all of the model); `tta` averages with the mirrored copy (slower; without effect on
    models that tell artery from vein, which a mirror image would confuse)."""

    model: str = DEFAULT_MODEL
    device: str = "auto"
    structures: tuple[str, ...] | None = None
    tta: bool = False

    def __post_init__(self) -> None:
        """Raises InputError for a structure that does not exist."""
        known = [entry.name for entry in STRUCTURES]
        for name in self.structures or ():
            if name not in known:
                raise InputError(f"There is no structure {name!r}; choose from {', '.join(known)}.")
