"""What a training sample shows: where its patch is centred, and the tensors that it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from ...networks.configs import NetworkConfig, normalized

if TYPE_CHECKING:
    from ..schemas import Schema

_CENTERLINE = " centerline"


class Scan(Protocol):
    """A scan as `draw_center` sees it; each answer is a voxel (z, y, x), or None where there is no such voxel."""

    def class_point(self, index: int, rng: np.random.Generator) -> np.ndarray | None:
        """Any voxel of the class with this index; 0 is background."""

    def centerline_point(self, index: int, rng: np.random.Generator) -> np.ndarray | None:
        """A voxel of the class's centreline; where none is known, any of its voxels."""

    def any_point(self, rng: np.random.Generator) -> np.ndarray:
        """Any voxel of the scan."""


def draw_center(schema: Schema, classes: tuple[str, ...], scan: Scan, rng: np.random.Generator) -> np.ndarray:
    """The voxel (z, y, x) that a patch is centred on, drawn by `schema.centers`.

    A name of which the scan, or the network, has no voxel falls back to "foreground", then "any". "foreground" is a
    class of those present, each as likely, then one of its voxels (nnU-Net). The voxel is the patch's very middle: no
    jitter, as in the papers; patches near the scan's border are moved inwards by `moved_inside`.
    """
    names = [name for name, _ in schema.centers]
    name = names[rng.choice(len(names), p=[share for _, share in schema.centers])]
    for wanted in (name, "foreground"):
        point = _point(wanted, classes, scan, rng)
        if point is not None:
            return point
    return scan.any_point(rng)


def moved_inside(center: np.ndarray, shape: tuple[int, ...], patch: tuple[int, ...]) -> np.ndarray:
    """The voxel nearest to `center` at which a patch, whose voxel n // 2 lies on it, does not leave a scan of `shape`;
    along axes where the scan is smaller than the patch the scan's middle."""
    shape, patch = np.asarray(shape), np.asarray(patch)
    low, high = patch // 2, shape - patch + patch // 2
    return np.where(high < low, shape // 2, np.clip(center, low, high))


def as_sample(
    hu: torch.Tensor, labels: torch.Tensor, config: NetworkConfig, schema: Schema | None, rng: np.random.Generator
) -> dict[str, torch.Tensor]:
    """The sample of HU (D, H, W) and class indices (D, H, W): "image" (1, D, H, W) float32 as the network gets it,
    "labels" int64, and the schema's extra maps."""
    labels = labels.long()
    extras = schema.extras(labels.numpy(), rng) if schema and schema.extras else {}
    return {"image": normalized(hu.float(), config)[None], "labels": labels, **extras}


def _point(name: str, classes: tuple[str, ...], scan: Scan, rng: np.random.Generator) -> np.ndarray | None:
    if name == "any":
        return scan.any_point(rng)
    if name == "foreground":
        points = (scan.class_point(int(i), rng) for i in rng.permutation(len(classes) - 1) + 1)
        return next((point for point in points if point is not None), None)
    class_name = name.removesuffix(_CENTERLINE)
    if class_name not in classes:
        return None
    draw = scan.class_point if class_name == name else scan.centerline_point
    return draw(classes.index(class_name), rng)
