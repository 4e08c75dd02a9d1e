"""How each model is trained: loss, augmentation, and a plan for each of its configurations. One place for all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch

from ..anatomy import LESIONS
from ..errors import InputError
from ..inference.systems import SYSTEMS, model_of
from ..networks.configs import CONFIGS, NetworkConfig
from .augmentation import NONE, Augmentation
from .losses.ba_net import ba_net_loss, weighted_ba_net_loss
from .losses.boundary_stream import boundary_stream_loss
from .losses.kid_net import KidNetLoss
from .losses.plain import plain_loss
from .losses.sc_unet import sc_unet_cross_entropy_loss, sc_unet_loss
from .losses.tu_net import tu_net_loss
from .losses.weighted import weighted_plain_loss
from .plan import TrainingPlan

# What is small or rare weighs more, or it is never found.
_CLASS_WEIGHTS = {"tumor": 3.0, "artery": 2.0, "vein": 1.5, "ureter": 5.0, "cyst": 5.0}
# What is thin fills few voxels by half, and would be lost between them.
_SHARE_FACTORS = {"artery": 2.0, "vein": 1.5, "ureter": 3.0}
# Seen close ureters are neither rare nor, as vessels, easily lost between voxels.
_SECOND_LOOK_WEIGHTS = _CLASS_WEIGHTS | {"ureter": 2.0}

# A loss is made for a configuration: Kid-Net's has a weight for every class.
LOSSES: dict[str, Callable[[NetworkConfig], Callable]] = {
    "plain": lambda config: plain_loss,
    "second_look": lambda config: partial(
        weighted_plain_loss,
        class_weights=_by_class(_SECOND_LOOK_WEIGHTS, config),
        share_factors=_by_class({}, config),
        lesions=lesion_classes(config),
    ),
    "ba_net": lambda config: ba_net_loss,
    "ba_net_weighted": lambda config: partial(
        weighted_ba_net_loss,
        class_weights=_by_class(_CLASS_WEIGHTS, config),
        share_factors=share_factors(config),
        lesions=lesion_classes(config),
    ),
    "boundary_stream": lambda config: boundary_stream_loss,
    "sc_unet": lambda config: sc_unet_loss,
    "sc_unet_plain": lambda config: sc_unet_cross_entropy_loss,
    "kid_net": lambda config: KidNetLoss(len(config.classes)),
    "tu_net": lambda config: tu_net_loss,
}

# Those that leave out the voxels which a batch's "keep" says do not count.
LOSSES_WITH_UNKNOWN = ("plain", "second_look", "ba_net", "ba_net_weighted", "kid_net")

# Those that learn how much of a voxel a class fills, where that is known ("shares").
LOSSES_WITH_SHARES = ("ba_net_weighted", "second_look")

# BA-Net: crop, rotate, scale, flip, noise, elastic deformation; the paper gives no amounts, we take nnU-Net's.
_STRONG = Augmentation(rotate_degrees=30.0, scale=(0.7, 1.4), flip_axes=(0, 1, 2), elastic_mm=4.0, noise_hu=30.0)
# What keeps a patient a patient: turned less, mirrored right and left only.
_UPRIGHT = Augmentation(rotate_degrees=12.0)
_ALL_FLIPS = replace(_UPRIGHT, flip_axes=(0, 1, 2))
_CROP_AND_MIRROR = replace(NONE, flip_axes=(0, 1, 2))
_ONE_DEGREE = replace(NONE, rotate_degrees=1.0, turned=1.0)

# A few real scans among many made ones: each must look like many.
REAL_SCANS = Augmentation(
    rotate_degrees=15.0,
    scale=(0.8, 1.25),
    elastic_mm=4.0,
    turned=0.9,
    contrast=0.15,
    brightness_hu=10.0,
    gamma=0.25,
    noise_hu=20.0,
    rephased=0.5,
    lesions=0.4,
)

_SMALL = TrainingPlan(steps=4300, rate=1e-3)
_TINY = TrainingPlan(steps=1000, rate=2e-3)
# nnU-Net's epoch has 250 steps.
_NNUNET = TrainingPlan(steps=250_000, batch=2, rate=0.01, optimizer="sgd", validate_every=2_500)


def share_factors(config: NetworkConfig) -> torch.Tensor:
    """By what a class's shares of voxels are multiplied (`losses.soft_labels.raised`)."""
    return _by_class(_SHARE_FACTORS, config)


def lesion_classes(config: NetworkConfig) -> torch.Tensor:
    """Which classes (C,; bool) are tumor or cyst."""
    return torch.tensor([name in LESIONS for name in config.classes])


def _by_class(factors: dict[str, float], config: NetworkConfig) -> torch.Tensor:
    return torch.tensor([factors.get(name, 1.0) for name in config.classes])


@dataclass(frozen=True)
class Recipe:
    """A model's loss (a name in `LOSSES`) and its plans; the paper's configuration has an augmentation of its own, and
    the small one may have a loss of its own."""

    loss: str
    paper: TrainingPlan | None
    paper_augmentation: Augmentation = _UPRIGHT
    small: TrainingPlan = _SMALL
    augmentation: Augmentation = _UPRIGHT
    small_loss: str | None = None

    def loss_of(self, size: str) -> str:
        """The loss of a configuration."""
        return self.small_loss or self.loss if size == "small" else self.loss

    def plan(self, size: str) -> TrainingPlan:
        """The plan of a configuration: paper, small or tiny."""
        return {"paper": self.paper, "small": self.small, "tiny": _TINY}[size]

    def augmentation_of(self, size: str) -> Augmentation:
        """The augmentation of a configuration."""
        return self.paper_augmentation if size == "paper" else self.augmentation


RECIPES: dict[str, Recipe] = {
    "locator": Recipe("plain", None, small=TrainingPlan(steps=4600, rate=2e-3)),
    "second_look": Recipe("second_look", None, small=TrainingPlan(steps=6000, batch=2, rate=8e-4)),
    # Section 4.1; T = 1000 epochs.
    "ba_net": Recipe("ba_net", _NNUNET, _STRONG, small_loss="ba_net_weighted"),
    "plain_unet": Recipe("plain", _NNUNET, _STRONG),
    "res_unet": Recipe("plain", _NNUNET, _STRONG),
    # 300 epochs of 168 crops in batches of 8; the paper names no augmentation, flips are what its TTA averages.
    "boundary_stream": Recipe(
        "boundary_stream",
        TrainingPlan(steps=6_300, batch=8, rate=5e-5, optimizer="adam", validate_every=420),
        _ALL_FLIPS,
        augmentation=_ALL_FLIPS,
    ),
    # Section 3.2: 20 epochs of 4000 iterations, random crop and mirror; the paper names no decay.
    "sc_unet": Recipe(
        "sc_unet",
        TrainingPlan(steps=80_000, batch=8, rate=1e-4, optimizer="adam", schedule="constant", validate_every=4_000),
        _CROP_AND_MIRROR,
    ),
    "sc_unet_rough": Recipe(
        "sc_unet",
        TrainingPlan(steps=80_000, batch=8, rate=1e-4, optimizer="adam", schedule="constant", validate_every=4_000),
        _CROP_AND_MIRROR,
    ),
    # Section 3: Adam; paper silent on rate (Keras' own is 0.001), batch, length and augmentation; the lengths are ours.
    "kid_net": Recipe(
        "kid_net",
        TrainingPlan(steps=100_000, batch=4, rate=1e-3, optimizer="adam", schedule="constant", validate_every=2_500),
    ),
    # Section 3.2: at most 200 epochs of 168 scans x 25 overlapping patches; batch not given.
    "tu_net": Recipe(
        "tu_net",
        TrainingPlan(
            steps=840_000, rate=1e-4, optimizer="adam", schedule="plateau", weight_decay=1e-5, validate_every=4_200
        ),
        _ONE_DEGREE,
    ),
    # The paper gives L-Net's loss nowhere; we take nnU-Net's, and W-Net's plan.
    "l_net": Recipe(
        "plain",
        TrainingPlan(
            steps=33_600, rate=1e-4, optimizer="adam", schedule="plateau", weight_decay=1e-5, validate_every=168
        ),
        _ONE_DEGREE,
    ),
}


def trainable(name: str, size: str) -> tuple[str, ...]:
    """The networks that training a model (or system) means, for example five for `boundary_stream`; the locator, which
    all share, and the default's `second_look` only if they are asked for by name. Raises InputError, naming what there
    is, for another name or size."""
    parts = {s.name: s.trained_for for s in SYSTEMS}
    networks = parts.get(name, (name,))
    if any((model_of(network), size) not in CONFIGS for network in networks):
        known = ", ".join(dict.fromkeys((*parts, *RECIPES)))
        raise InputError(
            f"There is no model {name!r} with configuration {size!r} to train; choose from: {known}; "
            "with --config paper, small or tiny (locator and second_look: small)."
        )
    return networks
