"""Configurations of the networks as data: what is built, on which grid it works and how its input is scaled."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..anatomy import STRUCTURES

if TYPE_CHECKING:
    import torch

STRUCTURE_CLASSES = ("background", *(s.name for s in STRUCTURES))
# Liver and spleen are what a kidney is mistaken for; the spine tells right from left.
LOCATOR_CLASSES = ("background", "kidney", "spine", "liver", "spleen")


@dataclass(frozen=True)
class NetworkConfig:
    """`spacing_mm` and `patch` are in (z, y, x) order; HU are clipped to `clip_hu`, then z-scored by `mean`, `std`."""

    network: str
    classes: tuple[str, ...]
    features: tuple[int, ...]
    spacing_mm: tuple[float, float, float]
    patch: tuple[int, int, int]
    clip_hu: tuple[float, float]
    mean_hu: float
    std_hu: float

    @property
    def stride(self) -> int:
        """Input sizes must be multiples of this."""
        return 2 ** (len(self.features) - 1)

    def to_json(self) -> str:
        """The config as one JSON line; `from_json` reads it back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> NetworkConfig:
        """Config from `to_json`'s text; lists become tuples."""
        values = json.loads(text)
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _ba_net(
    features: tuple[int, ...], spacing: tuple, patch: tuple, clip: tuple, mean: float, std: float
) -> NetworkConfig:
    return NetworkConfig("ba_net", STRUCTURE_CLASSES, features, spacing, patch, clip, mean, std)


# The paper clips KiPA22's stored values to [918, 1396]; they are HU + 1024. It takes mean and standard deviation from
# the data, which we do not have: these are those of soft tissue and fat within the clip range.
CONFIGS: dict[tuple[str, str], NetworkConfig] = {
    ("ba_net", "paper"): _ba_net((32, 64, 128, 256, 320), (3.0, 0.6, 0.6), (112, 128, 128), (-106, 372), 60.0, 110.0),
    ("ba_net", "small"): _ba_net((12, 24, 48, 96, 128), (2.0, 2.0, 2.0), (64, 80, 80), (-200, 500), 40.0, 130.0),
    ("locator", "small"): NetworkConfig(
        "plain_unet", LOCATOR_CLASSES, (8, 16, 32, 48, 64), (4.0, 4.0, 4.0), (48, 80, 80), (-500, 500), 0.0, 200.0
    ),
}


def config(model: str, name: str = "small") -> NetworkConfig:
    """The named configuration of a model. Raises KeyError if there is none."""
    return CONFIGS[model, name]


def normalized(hu: torch.Tensor, config: NetworkConfig) -> torch.Tensor:
    """HU clipped and z-scored as `config` says: what the network is trained on and run on."""
    return (hu.clamp(*config.clip_hu) - config.mean_hu) / config.std_hu
