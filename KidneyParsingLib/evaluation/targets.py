"""What is scored: one structure, or several as one class, by name."""

from __future__ import annotations

from dataclasses import dataclass

from ..anatomy import STRUCTURES, TUBES, structure
from .challenges import KITS_CLASSES, KITS_TOLERANCES_MM

# The KiTS class nearest to each structure. No challenge has a tolerance for tubes: theirs is ours, the error allowed
# for renal vessels in surgical planning (10.20517/2574-1225.2023.134).
_TOLERANCE_OF = {"kidney": "kidney_and_mass", "tumor": "tumor", "cyst": "mass"}
_TUBE_TOLERANCE_MM = 1.0
_COLOR_OF = {"kidney_and_mass": "kidney", "mass": "cyst", "tumor": "tumor"}


@dataclass(frozen=True)
class Target:
    """Voxels with any of `labels` are one mask; `tolerance_mm` is that of the surface Dice; `color` RGB 0-255."""

    name: str
    labels: tuple[int, ...]
    tolerance_mm: float
    color: tuple[int, int, int]

    @property
    def is_tube(self) -> bool:
        """Whether the metrics of tubes are taken of it."""
        return self.name in TUBES


def _structure_target(name: str) -> Target:
    entry = structure(name)
    tolerance = _TUBE_TOLERANCE_MM if name in TUBES else KITS_TOLERANCES_MM[_TOLERANCE_OF[name]]
    return Target(name, (entry.label,), tolerance, entry.color)


def _kits_target(name: str) -> Target:
    return Target(name, KITS_CLASSES[name], KITS_TOLERANCES_MM[name], structure(_COLOR_OF[name]).color)


# KiTS's class `tumor` is the structure of that name.
TARGETS: dict[str, Target] = {
    **{entry.name: _structure_target(entry.name) for entry in STRUCTURES},
    **{name: _kits_target(name) for name in KITS_CLASSES},
}
