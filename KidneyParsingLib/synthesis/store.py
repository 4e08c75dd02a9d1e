"""A folder of made anatomies, so that training draws appearances from them instead of building each anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import InputError
from .anatomy_builder import Atlases, make_anatomy

# Finer than any network's grid that is trained on them, so that thin vessels fill voxels in part, as in a scan.
_SPACING_MM = 1.25


def anatomy_path(folder: Path, seed: int) -> Path:
    """Where the anatomy of this seed is kept."""
    return Path(folder) / f"anatomy_{seed:05d}.npz"


def fill_store(
    folder: Path, atlases: Atlases, seeds: range, spacing: float = _SPACING_MM,
    done: Callable[[int], None] = lambda seed: None
) -> None:  # fmt: skip
    """Makes the anatomy of every seed that the folder does not hold yet; `done` is called after each."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        path = anatomy_path(folder, seed)
        if not path.exists():
            tissues = make_anatomy(atlases, np.random.default_rng(seed), spacing)
            unfinished = path.with_suffix(".part")
            with unfinished.open("wb") as file:
                np.savez_compressed(file, tissues=tissues, spacing=np.float32(spacing))
            unfinished.replace(path)
        done(seed)


def stored_anatomies(folder: Path) -> list[Path]:
    """The anatomies in a folder, sorted. Raises InputError if there are none."""
    paths = sorted(Path(folder).glob("anatomy_*.npz"))
    if not paths:
        command = f"kidneyparsing synthesize {folder} --anatomies --spl SPL_FOLDER"
        raise InputError(f"{folder} holds no made anatomies; make some with: {command}")
    return paths


def load_anatomy(path: Path) -> tuple[np.ndarray, float]:
    """uint8 tissues (z, y, x) and their isotropic spacing in mm."""
    with np.load(path, allow_pickle=False) as file:
        return file["tissues"], float(file["spacing"])
