"""What a network on a coarse grid can show of made (synthetic) anatomies at best: its very targets, brought back.

python Testing/benchmarks/grid_bound.py --spl SPL_FOLDER --kidneys KIDNEY_FOLDER [--n 4] [--mm 2]

Anatomies are made at half the grid's spacing. Three kinds of targets on the grid are interpolated as the parser does it
and compared with the anatomy: one class a voxel; the share of each class; these raised as training does.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from KidneyParsingLib.anatomy import STRUCTURES, TUBES
from KidneyParsingLib.evaluation.overlap import dice
from KidneyParsingLib.evaluation.tubes import cldice, skeleton
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.synthesis.anatomy_builder import Atlases, make_anatomy
from KidneyParsingLib.synthesis.tissues import structure_lookup
from KidneyParsingLib.training.losses.soft_labels import raised
from KidneyParsingLib.training.recipes import share_factors

FIRST_SEED = 20000
BLOCK = 2
# What a network that is sure still leaves to the other classes.
LEAST = 0.01


def near_kidneys(tissues: np.ndarray) -> np.ndarray:
    """Structure labels around kidneys and ureters, in whole blocks."""
    labels = structure_lookup()[tissues]
    spans = [np.flatnonzero(np.isin(labels, (1, 5)).any(axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    part = labels[tuple(slice(max(0, s[0] - 10), s[-1] + 10) for s in spans)]
    return part[tuple(slice(0, n // BLOCK * BLOCK) for n in part.shape)]


def targets(labels: np.ndarray) -> dict[str, torch.Tensor]:
    """Target maps (C, z, y, x) on the coarse grid, by kind."""
    count = len(STRUCTURES) + 1
    masks = torch.stack([torch.from_numpy(labels == label).float() for label in range(count)])
    shares = F.avg_pool3d(masks, BLOCK)
    factors = share_factors(config("ba_net", "small"))
    return {
        "one class a voxel": F.one_hot(shares.argmax(0), count).movedim(-1, 0).float(),
        "shares": shares,
        "raised shares": raised(shares[None], factors)[0],
    }


def brought_back(maps: torch.Tensor) -> np.ndarray:
    """Labels (z, y, x) of the largest interpolated score."""
    scores = maps.clamp_min(LEAST).log()
    return F.interpolate(scores[None], scale_factor=BLOCK, mode="trilinear")[0].argmax(0).numpy()


def scores_of(labels: np.ndarray) -> dict[tuple[str, str], float]:
    """Dice, and clDice of tubes, by kind of target and structure."""
    found = {}
    for kind, maps in targets(labels).items():
        back = brought_back(maps)
        for structure in (s for s in STRUCTURES if (labels == s.label).any()):
            pair = back == structure.label, labels == structure.label
            found[kind, structure.name] = dice(*pair)
            if structure.name in TUBES:
                found[kind, f"{structure.name}, clDice"] = cldice(*pair, *map(skeleton, pair))
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spl", type=Path, required=True)
    parser.add_argument("--kidneys", type=Path)
    parser.add_argument("--n", type=int, default=4)
    parser.add_argument("--mm", type=float, default=2.0)
    options = parser.parse_args()
    atlases, fine = Atlases(options.spl, options.kidneys, held_out=False), options.mm / BLOCK
    made = (make_anatomy(atlases, np.random.default_rng(FIRST_SEED + i), fine) for i in range(options.n))
    rows = [scores_of(near_kidneys(tissues)) for tissues in made]
    names = sorted({name for row in rows for _, name in row})
    print(f"| {options.mm:g} mm, {options.n} anatomies | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for kind in ("one class a voxel", "shares", "raised shares"):
        values = [np.mean([row[kind, name] for row in rows if (kind, name) in row]) for name in names]
        print(f"| {kind} | {' | '.join(f'{value:.3f}' for value in values)} |")


if __name__ == "__main__":
    main()
