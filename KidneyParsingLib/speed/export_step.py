"""The step from logits to labels alone: nnU-Net's, torch's trilinear interpolation of everything, and ours.

`python -m KidneyParsingLib.speed.export_step METHOD FOLDER [quick]` prints one JSON line. `make` writes the logits into
the folder; `torch` also writes its labels there, which the others are compared with.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import interpolate

from ..inference.grid import Grid
from ..volumes.volume import Volume
from .measuring import cores

_CLASSES = 6
_SIZES = ((171, 266, 266), (256, 512, 512))
_QUICK_SIZES = ((40, 60, 60), (60, 110, 110))
_NETWORK_MM = 1.5
_SMOOTH_VOXELS = 1.0
# Diameter of the thinnest tubes, so that they survive the smoothing.
_THINNEST_VOXELS = 3.5
# What every class has where it is not.
_FLOOR = 1e-3
_KIBIBYTES = 1024 if sys.platform != "darwin" else 1


def made_logits(size: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Logits (6, z, y, x) float32 of two ellipsoids (kidneys), a ball (tumor) and thin tubes (artery, vein, ureter),
    with smooth borders as a network's are; background elsewhere."""
    labels = _made_labels(size, np.random.default_rng(seed))
    share = [ndimage.gaussian_filter((labels == c).astype(np.float32), _SMOOTH_VOXELS) for c in range(_CLASSES)]
    return np.log(np.stack(share) + np.float32(_FLOOR))


def _made_labels(size: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in size), indexing="ij", sparse=True)
    labels, thinnest = np.zeros(size, np.uint8), _THINNEST_VOXELS / min(size)
    for side in (-1, 1):
        cz, cy, cx = np.array([0.1, 0.2, 0.45 * side]) + rng.uniform(-0.03, 0.03, 3)
        labels[((z - cz) / 0.4) ** 2 + ((y - cy) / 0.17) ** 2 + ((x - cx) / 0.18) ** 2 < 1] = 1
        for label, (tube_y, radius) in enumerate(((0.18, 0.02), (0.12, 0.03)), start=3):
            inner = np.abs(x - cx / 2) < abs(cx) / 2
            labels[
                inner & ((z - cz - 0.1) ** 2 + (y - tube_y - 0.05 * np.sin(6 * x)) ** 2 < max(radius, thinnest) ** 2)
            ] = label
        labels[
            (z < 0) & ((y - 0.25) ** 2 + (x - 0.3 * side - 0.05 * np.sin(5 * z)) ** 2 < max(0.02, thinnest) ** 2)
        ] = 5
    labels[(z - 0.3) ** 2 + (y - 0.2) ** 2 + (x - 0.55) ** 2 < 0.13**2] = 2
    return labels


def target_of(size: tuple[int, int, int], shape: tuple[int, int, int]) -> tuple[Grid, Volume]:
    """A network's grid of `size` voxels and an empty CT of `shape` voxels that covers the same box of the patient, as
    align_corners=False does."""
    extent = np.multiply(size, _NETWORK_MM)
    spacing = (extent / shape)[::-1]
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = spacing / 2
    origin = np.full(3, _NETWORK_MM / 2)
    return Grid(origin, (_NETWORK_MM,) * 3, size), Volume(np.zeros(shape, np.int16), affine)


def labels_by_torch(logits: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 labels (z, y, x): argmax of all logits trilinearly interpolated, the exact reference."""
    finer = interpolate(torch.from_numpy(logits)[None], shape, mode="trilinear", align_corners=False)[0]
    return finer.argmax(0).to(torch.uint8).numpy()


def labels_by_nnunet(logits: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 labels (z, y, x) by nnU-Net's default resampling of logits and argmax."""
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

    old, new = (_NETWORK_MM,) * 3, np.multiply(logits.shape[1:], _NETWORK_MM) / shape
    resample = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    finer = resample_data_or_seg_to_shape(logits, shape, old, tuple(new), **resample)
    return torch.as_tensor(finer).argmax(0).to(torch.uint8).numpy()


def labels_by_ours(logits: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 labels (z, y, x) by what the parser calls."""
    from ..inference.upsampling import labels_on_volume

    labels = np.zeros(shape, np.uint8)
    part, window = labels_on_volume(logits, *target_of(logits.shape[1:], shape))
    labels[window] = part
    return labels


_STEPS = {"torch": labels_by_torch, "nnunet": labels_by_nnunet, "ours": labels_by_ours}


def timed(method: str, folder: Path, quick: bool = False) -> dict:
    """Seconds, GiB above what the logits take, and how many voxels differ from torch's labels."""
    torch.set_num_threads(cores())
    logits = np.load(folder / "logits.npy")
    before, start = _peak_gib(), time.perf_counter()
    labels = _STEPS[method](logits, _sizes(quick)[1])
    seconds, extra = time.perf_counter() - start, _peak_gib() - before
    exact = folder / "labels.npy"
    if method == "torch":
        np.save(exact, labels)
    differing = int((labels != np.load(exact)).sum())
    return {"seconds": seconds, "extra_gib": extra, "differing": differing, "voxels": labels.size}


def _sizes(quick: bool) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    return _QUICK_SIZES if quick else _SIZES


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIBIBYTES / 2**30


def main(method: str, folder: str, *flags: str) -> None:
    """Make the logits or time one method."""
    quick = "quick" in flags
    if method == "make":
        np.save(Path(folder) / "logits.npy", made_logits(_sizes(quick)[0]))
        return
    sys.stdout.write(json.dumps(timed(method, Path(folder), quick)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
