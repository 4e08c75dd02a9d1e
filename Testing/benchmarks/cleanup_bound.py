"""What the clean-up leaves of real kidneys: an upper bound for every network.

python Testing/benchmarks/cleanup_bound.py --kidneys KIDNEY_FOLDER [--every N]

The atlas's kidneys with their tumors and cysts, at 2 mm, are taken for a prediction without an error.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cc3d
import numpy as np
import SimpleITK as sitk

from KidneyParsingLib.anatomy import ORGAN_LABELS, structure
from KidneyParsingLib.inference.cleanup import implausible
from KidneyParsingLib.inference.grid import Grid
from KidneyParsingLib.inference.locate import Midline
from KidneyParsingLib.synthesis.atlas import kidney_cases

# The atlas's labels, in voxels of 1 mm, and what we call them.
_NAMES = ("kidney", "tumor", "cyst")
_STEP = 2
# Kidneys whose middles are closer than this lie on one side of the spine.
_APART_MM = 60.0
_BESIDE_MM = 80.0


def main() -> None:
    """Print mean and lowest Dice, and how many cases are below 0.95."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kidneys", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every so many cases only")
    arguments = parser.parse_args()
    cases = kidney_cases(arguments.kidneys)[:: arguments.every]
    dice = {case.name.partition(".")[0]: kept(labels_of(case)) for case in cases}
    values = np.array(list(dice.values()))
    print(f"{len(values)} cases: mean {values.mean():.4f}, below 0.95: {(values < 0.95).sum()}; the lowest:")
    for name in sorted(dice, key=dice.get)[:8]:
        print(f"{name} {dice[name]:.3f}")


def labels_of(path: Path) -> np.ndarray:
    """Structure labels (z, y, x) of a case at 2 mm."""
    ours = np.array([0, *(structure(name).label for name in _NAMES)], np.uint8)
    return ours[sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[::_STEP, ::_STEP, ::_STEP]]


def kept(labels: np.ndarray) -> float:
    """Dice of kidneys with lesions before and after the clean-up."""
    grid = Grid(np.zeros(3), (float(_STEP),) * 3, labels.shape)
    organ = np.isin(labels, ORGAN_LABELS)
    left = organ & ~implausible(labels, True, grid, Midline(np.zeros(1), np.array([midline_of(labels)])))
    return 2 * left.sum() / (left.sum() + organ.sum())


def midline_of(labels: np.ndarray) -> float:
    """x (mm) between the middles of both kidneys, or beside the only one."""
    parts = cc3d.connected_components(np.isin(labels, ORGAN_LABELS), connectivity=26)
    voxels = np.bincount(parts[labels == structure("kidney").label])
    largest = [part for part in np.argsort(voxels)[::-1][:2] if voxels[part] > voxels.max() / 10]
    middles = [np.nonzero(parts == part)[2].mean() * _STEP for part in largest]
    if len(middles) == 2 and abs(middles[0] - middles[1]) > _APART_MM:
        return float(np.mean(middles))
    return middles[0] + _BESIDE_MM


if __name__ == "__main__":
    main()
