"""Configurations of the networks as data: what is built, on which grid it works and how its input is scaled."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar

from ..anatomy import LESIONS, STRUCTURES

if TYPE_CHECKING:
    import numpy as np
    import torch

STRUCTURE_CLASSES = ("background", *(s.name for s in STRUCTURES))
# Liver and spleen are what a kidney is mistaken for; the spine tells right from left.
LOCATOR_CLASSES = ("background", "kidney", "spine", "liver", "spleen")
# In masks of real scans, beside the structures' labels.
NEIGHBOUR_LABELS = {"spine": 101, "liver": 102, "spleen": 103}
# None of our structures, but maybe one of these neighbours: unknown to networks that find neighbours.
MAYBE_NEIGHBOUR = 104
KITS_CLASSES = ("background", "kidney", "tumor")
VESSEL_CLASSES = ("background", "artery", "vein", "ureter")
# KiTS: lesions are part of the kidney.
WHOLE_CLASSES = ("background", "kidney")
SOFTMAX = "softmax"
NESTED = "nested"


@dataclass(frozen=True)
class NetworkConfig:
    """What a network is and what it is given; triples are in (z, y, x) order.

    The CT is resampled to `spacing_mm`, or along axes where `resize` is not 0 to that many voxels whatever their
    spacing; with `median` it is smoothed by a 3x3x3 median filter. HU are clipped to `clip_hu`, then z-scored by
    `mean_hu` and `std_hu`. `patch` is the training crop. `activation` says what the network's outputs are: SOFTMAX over
    `classes`, or NESTED: sigmoid maps of (kidney or tumor) and of (tumor), for KITS_CLASSES. `squeeze` adds
    squeeze-and-excitation (TuNet), `deep_supervision` a head at every decoder scale (plain and residual U-Net).
    `overlap` is the share of a patch that neighbouring patches share at inference. The network folds `fold` voxels an
    axis into one, on which it works.
    """

    network: str
    classes: tuple[str, ...]
    features: tuple[int, ...]
    spacing_mm: tuple[float, float, float]
    patch: tuple[int, int, int]
    clip_hu: tuple[float, float]
    mean_hu: float
    std_hu: float
    activation: str = SOFTMAX
    resize: tuple[int, int, int] = (0, 0, 0)
    median: bool = False
    squeeze: bool = False
    deep_supervision: bool = False
    overlap: float = 0.5
    fold: int = 1

    @property
    def stride(self) -> int:
        """Input sizes must be multiples of this."""
        return self.fold * 2 ** (len(self.features) - 1)

    @property
    def tells_boundary(self) -> bool:
        """Whether the network can say how likely a voxel lies on a surface."""
        return self.network == "ba_net"

    @property
    def outputs(self) -> int:
        """How many maps the network puts out."""
        return len(self.classes) - (self.activation == NESTED)

    def to_json(self) -> str:
        """The config as one JSON line; `from_json` reads it back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> NetworkConfig:
        """Config from `to_json`'s text; lists become tuples."""
        values = json.loads(text)
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


# Soft tissue and fat within the clip range; papers take mean and standard deviation from their data, which we lack.
_ANY_CT = {"clip_hu": (-200, 500), "mean_hu": 40.0, "std_hu": 130.0}
# The paper clips KiPA22's stored values to [918, 1396]; they are HU + 1024.
_KIPA = {"clip_hu": (-106, 372), "mean_hu": 60.0, "std_hu": 110.0}
# Boundary stream: HU / 1000 clipped to [-1, 1].
_THOUSANDTHS = {"clip_hu": (-1000, 1000), "mean_hu": 0.0, "std_hu": 1000.0}
_TINY = {"features": (8, 16, 32, 64), "spacing_mm": (3.0, 3.0, 3.0), "patch": (40, 48, 48)}
_SMALL = {"features": (12, 24, 48, 96), "spacing_mm": (2.0, 2.0, 2.0), "patch": (64, 80, 80)}
_UNET_3D = (32, 64, 128, 256)


def _structures(network: str) -> dict[str, NetworkConfig]:
    """BA-Net and the networks that its paper compares it with, on equal terms."""
    nnunet = {"features": (32, 64, 128, 256, 320), "spacing_mm": (3.0, 0.6, 0.6), "patch": (112, 128, 128)}
    deep = {"deep_supervision": network != "ba_net"}  # BA-Net always has it
    return {
        "paper": NetworkConfig(network, STRUCTURE_CLASSES, **nnunet, **_KIPA, **deep),
        "small": NetworkConfig(
            network, STRUCTURE_CLASSES, **_SMALL | {"features": (12, 24, 48, 96, 128)}, **_ANY_CT, **deep
        ),
        "tiny": NetworkConfig(network, STRUCTURE_CLASSES, **_TINY, **_ANY_CT, **deep),
    }


def _boundary_stream() -> dict[str, NetworkConfig]:
    def of(scale: dict) -> NetworkConfig:
        return NetworkConfig("boundary_stream", KITS_CLASSES, **scale, **_THOUSANDTHS, activation=NESTED)

    paper = {"features": (16, 32, 64, 128), "spacing_mm": (1.0, 1.0, 1.0), "patch": (176, 176, 176)}
    return {"paper": of(paper), "small": of(_SMALL | {"features": (8, 16, 32, 64)}), "tiny": of(_TINY)}


def _sc_unet() -> dict[str, NetworkConfig]:
    """The fine network; the paper is silent on widths, we take 3D U-Net's (arXiv 1606.06650)."""
    paper = {"features": _UNET_3D, "spacing_mm": (3.0, 0.7816, 0.7816), "patch": (64, 160, 160)}
    scales = {"paper": paper, "small": _SMALL, "tiny": _TINY}
    return {name: NetworkConfig("sc_unet", KITS_CLASSES, **scale, **_ANY_CT) for name, scale in scales.items()}


def _sc_unet_rough() -> dict[str, NetworkConfig]:
    """128 x 128 voxels in plane whatever their size; fewer where patients are made for CPUs."""

    def of(features: tuple, slice_mm: float, depth: int, side: int) -> NetworkConfig:
        scale = {"features": features, "spacing_mm": (slice_mm, 3.1, 3.1), "patch": (depth, side, side)}
        return NetworkConfig("sc_unet", KITS_CLASSES, **scale, **_ANY_CT, resize=(0, side, side))

    return {
        "paper": of(_UNET_3D, 3.0, 64, 128),
        "small": of((12, 24, 48, 96), 5.0, 48, 96),
        "tiny": of((8, 16, 32, 64), 6.0, 32, 64),
    }


def _kid_net() -> dict[str, NetworkConfig]:
    """Paper: spacing as scanned, 0.757 x 0.757 x 0.906 mm on average; silent on widths, we take 3D U-Net's."""
    paper = {"features": _UNET_3D, "spacing_mm": (0.906, 0.757, 0.757), "patch": (96, 96, 96)}
    scales = {"paper": paper, "small": _SMALL, "tiny": _TINY}
    return {name: NetworkConfig("kid_net", VESSEL_CLASSES, **scale, **_ANY_CT) for name, scale in scales.items()}


def _tu_net() -> dict[str, NetworkConfig]:
    """W-Net and T-Net; without squeeze-and-excitation and with the median filter, the paper's best single model. The
    paper is silent on widths, we take 3D U-Net's. Only the paper's size resizes; ours keep the spacing."""
    ours = {**_ANY_CT, "activation": NESTED, "median": True}
    paper = {"features": _UNET_3D, "spacing_mm": (3.0, 1.6, 1.6), "patch": (128, 128, 128), "resize": (128, 256, 256)}
    paper["overlap"] = 0.75  # 96 of 128 voxels
    scales = {"paper": paper, "small": _SMALL | {"features": (8, 16, 32, 64)}, "tiny": _TINY}
    return {name: NetworkConfig("tu_net", KITS_CLASSES, **scale, **ours) for name, scale in scales.items()}


def _l_net() -> dict[str, NetworkConfig]:
    """TuNet's L-Net: the whole CT resized to 64 x 128 x 128 voxels (z, y, x)."""

    def of(features: tuple, size: tuple) -> NetworkConfig:
        scale = {"features": features, "spacing_mm": (6.0, 3.1, 3.1), "patch": size, "resize": size}
        return NetworkConfig("l_net", WHOLE_CLASSES, **scale, **_ANY_CT)

    return {
        "paper": of(_UNET_3D, (64, 128, 128)),
        "small": of((12, 24, 48, 96), (64, 96, 96)),
        "tiny": of((8, 16, 32, 64), (48, 64, 64)),
    }


def _locator() -> dict[str, NetworkConfig]:
    scale = {"features": (8, 16, 32, 48, 64), "spacing_mm": (4.0, 4.0, 4.0), "patch": (48, 80, 80)}
    wide = {"clip_hu": (-500, 500), "mean_hu": 0.0, "std_hu": 200.0}
    return {"small": NetworkConfig("plain_unet", LOCATOR_CLASSES, **scale, **wide)}


def _second_look() -> dict[str, NetworkConfig]:
    """BA-Net small's encoder and segmentation decoder, from which it starts; voxels half as wide; patches of one
    kidney."""
    scale = {"features": (12, 24, 48, 96, 128), "spacing_mm": (1.0, 1.0, 1.0), "patch": (96, 96, 96)}
    return {"small": NetworkConfig("fine_unet", STRUCTURE_CLASSES, **scale, **_ANY_CT, fold=2)}


_MODELS: dict[str, dict[str, NetworkConfig]] = {
    "ba_net": _structures("ba_net"),
    "plain_unet": _structures("plain_unet"),
    "res_unet": _structures("res_unet"),
    "boundary_stream": _boundary_stream(),
    "sc_unet": _sc_unet(),
    "sc_unet_rough": _sc_unet_rough(),
    "kid_net": _kid_net(),
    "tu_net": _tu_net(),
    "l_net": _l_net(),
    "locator": _locator(),
    "second_look": _second_look(),
}
# paper: as published. small: for a CPU's hours or a GPU's minutes. tiny: for a CPU's minutes, comparisons and tests.
CONFIGS: dict[tuple[str, str], NetworkConfig] = {
    (model, name): entry for model, entries in _MODELS.items() for name, entry in entries.items()
}


def config(model: str, name: str = "small") -> NetworkConfig:
    """The named configuration of a model. Raises KeyError if there is none."""
    return CONFIGS[model, name]


Numbers = TypeVar("Numbers", "np.ndarray", "torch.Tensor")


def normalized(hu: Numbers, config: NetworkConfig) -> Numbers:
    """HU clipped and z-scored as `config` says: what the network is trained on and run on."""
    return (hu.clip(*config.clip_hu) - config.mean_hu) / config.std_hu


def class_of_label(classes: tuple[str, ...]) -> list[int]:
    """Class index of every structure label 0..6. Lesions that `classes` lack are kidney where it has kidney; any other
    structure that it lacks is background."""
    instead = classes.index("kidney") if "kidney" in classes else 0
    missing = [instead if s.name in LESIONS else 0 for s in STRUCTURES]
    return [0, *(classes.index(s.name) if s.name in classes else m for s, m in zip(STRUCTURES, missing, strict=True))]
