"""What a user's choice of quality means for the passes of a network."""

from __future__ import annotations

from dataclasses import dataclass

from ..networks.configs import NetworkConfig
from .network_pass import ALL_AXES, LEFT_RIGHT, PLAIN, PassPlan, View
from .options import Options
from .systems import System


@dataclass(frozen=True)
class Quality:
    """`half`: half precision where the processor computes in it. `columns`: also the ureters' column below the kidneys'
    boxes. `wide`: more room around the kidneys where they still go in one pass. `second_view`: the mean with a second
    view, as with `Options.tta`.

    No quality asks for windows: a region in one pass scores as well as overlapping windows of the training patch do
    (docs/performance.md).
    """

    half: bool = False
    columns: bool = True
    wide: bool = True
    second_view: bool = False


_QUALITIES = {
    "fast": Quality(half=True, columns=False, wide=False),
    "default": Quality(),
    "best": Quality(second_view=True),
}


def quality_of(options: Options) -> Quality:
    """The quality that is asked for by name."""
    return _QUALITIES[options.quality]


def plan_of(options: Options, system: System, config: NetworkConfig) -> PassPlan:
    """How the networks of a system are run: in one pass, or in windows if an overlap is asked for."""
    views = _views(options.tta or quality_of(options).second_view, system, config)
    return PassPlan(views, options.overlap is not None, options.overlap)


def _views(second_view: bool, system: System, config: NetworkConfig) -> tuple[View, ...]:
    if not (second_view or system.mirrored):
        return PLAIN
    # In a mirror image the aorta lies where the cava should.
    if {"artery", "vein"} <= set(config.classes):
        return (View(), View(shift=config.stride // 2))
    return ALL_AXES if system.all_axes else LEFT_RIGHT
