"""What a user may choose for one run."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_MODEL = "ba_net"


@dataclass(frozen=True)
class Options:
    """`model` is a name of `kidneyparsing models`; `device` auto, cpu, cuda, cuda:N or mps; `structures` those to keep
    (None: all of the model); `tta` averages over mirrored copies (slower)."""

    model: str = DEFAULT_MODEL
    device: str = "auto"
    structures: tuple[str, ...] | None = None
    tta: bool = False
