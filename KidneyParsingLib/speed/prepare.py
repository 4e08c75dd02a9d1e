"""`python -m KidneyParsingLib.speed.prepare FOLDER CT|- [quick]`: what is made once and not timed.

CT (`ct.nii.gz`), weights, label maps of the exact reference, and the network's arithmetic as one JSON line.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ..inference.network_input import network_grid
from ..inference.windows import window_count
from ..networks.checkpoint import load_network
from ..networks.configs import NetworkConfig
from ..volumes.reading import read_ct
from .flops import window_flops
from .reference import write_references
from .reference_network import release_reference
from .rows import WEIGHTS_NAME
from .scans import QUICK, USUAL, write_scan


def main(folder: str, ct: str, *flags: str) -> None:
    """Make what the folder lacks."""
    work, quick = Path(folder), "quick" in flags
    path = work / "ct.nii.gz"
    if not path.exists():
        write_scan(path, QUICK if quick else USUAL, ct=None if ct == "-" else Path(ct))
    if not (work / "weights" / WEIGHTS_NAME).exists():
        release_reference(work / "weights", quick)
    os.environ["KIDNEYPARSING_WEIGHTS"] = str(work / "weights")
    network, config = load_network(work / "weights" / WEIGHTS_NAME)
    write_references(path, network, config, work)
    parameters = sum(p.numel() for p in network.parameters())
    sys.stdout.write(json.dumps({"parameters": parameters, **arithmetic(path, config)}) + "\n")


def arithmetic(ct: Path, config: NetworkConfig) -> dict:
    """The scan's grid (z, y, x), how many windows cover it, and GFLOP of a window."""
    volume = read_ct(ct)
    size = network_grid(volume, config).size
    count = window_count(size, config.patch, config.overlap)
    shape, spacing = list(volume.array.shape[::-1]), [round(float(mm), 3) for mm in volume.spacing]
    grid = {"ct_size": shape, "ct_mm": spacing, "grid": list(size), "patch": list(config.patch)}
    return grid | {"windows": count, "gflop_per_window": window_flops(config) / 1e9}


if __name__ == "__main__":
    main(*sys.argv[1:])
