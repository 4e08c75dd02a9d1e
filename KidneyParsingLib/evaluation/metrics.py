"""Every metric of the catalog by its name, taken of a `MaskPair`."""

from __future__ import annotations

from collections.abc import Callable

from .overlap import dice, dice_by_structure
from .pairs import MaskPair
from .surface_elements import surface_dice
from .surfaces import average_hausdorff, hausdorff, hausdorff_95
from .targets import Target
from .tubes import centerline_recall, cldice

__all__ = ["dice", "dice_by_structure", "measure"]

_MEASURES: dict[str, Callable[[MaskPair, Target], float]] = {
    "dice": lambda pair, target: dice(pair.predicted, pair.truth),
    "surface_dice": lambda pair, target: surface_dice(pair.elements, target.tolerance_mm),
    "hd": lambda pair, target: hausdorff(pair.surfaces),
    "hd95": lambda pair, target: hausdorff_95(pair.surfaces),
    "avd": lambda pair, target: average_hausdorff(pair.surfaces),
    "cldice": lambda pair, target: cldice(pair.predicted, pair.truth, pair.predicted_skeleton, pair.truth_skeleton),
    "centerline_recall": lambda pair, target: centerline_recall(pair.predicted, pair.truth_skeleton, pair.spacing),
}


def measure(metric: str, pair: MaskPair, target: Target) -> float:
    """The metric called `metric` (a key of `catalog.METRICS`), with the tolerance of `target` where it has one.

    Shares are 0 where one mask is empty and 1 where both are (centerline recall: NaN without truth); distances are
    infinite and NaN then. Raises InputError if a package is missing that the metric needs.
    """
    return _MEASURES[metric](pair, target)
