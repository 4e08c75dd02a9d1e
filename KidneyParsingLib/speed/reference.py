"""The exact reference: the network in plain torch float32, window by window, nothing left out.

Three label maps are made with it. `raw` is the class of largest interpolated score over the whole scan, which peers are
compared with. `whole` and `auto` are the parser's own results with its network replaced: over the whole scan by our
plain loop over windows, not cleaned up (as peers do not), around the kidneys by the parser's passes in plain torch,
cleaned up as users get it. Our rows are compared with those.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..inference.backends.backend import Tick, no_tick
from ..inference.grid import AIR_HU
from ..inference.maps import scores_of
from ..inference.network_input import network_grid, network_input
from ..inference.network_pass import Predictor, most_voxels
from ..inference.options import Options
from ..inference.parser import KidneyParser
from ..inference.upsampling import labels_on_volume
from ..inference.windows import gaussian_weights, window_starts
from ..networks.configs import NetworkConfig, normalized
from ..volumes.geometry import image_from_array
from ..volumes.reading import read_ct
from ..volumes.volume import LabelMap, Volume
from ..volumes.writing import write_label_map
from .measuring import cores
from .rows import AUTO, MODEL, RAW, WHOLE


class PlainBackend:
    """A backend that does nothing to a network: torch's default layout, float32, its own normalisation."""

    name = "torch"
    device = "cpu"

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    @torch.inference_mode()
    def __call__(self, image: np.ndarray, tick: Tick = no_tick) -> np.ndarray:
        """Probability maps (outputs, D, H, W) of an image (D, H, W)."""
        return self._network.predict(torch.from_numpy(image)[None, None]).softmax(1)[0].numpy()

    def release(self) -> None:
        """Nothing is kept."""


class ExactNetwork:
    """A network that is always run in windows of its training patch, whatever the plan says; a stand-in for the
    parser's `Predictor`."""

    tells_boundary = False

    def __init__(self, backend: PlainBackend, config: NetworkConfig) -> None:
        self.backend = backend
        self.config = config
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def begin(self) -> None:
        """Memory never lacks."""

    def release(self) -> None:
        """The last maps are kept."""

    def goes_in_one_pass(self, voxels: int) -> bool:
        """As that of `Predictor`, so that regions are the same."""
        return voxels <= most_voxels(self.config, self.backend.device)

    def slabs(self, hu: np.ndarray, *_: Any, **__: Any) -> Iterator[tuple[slice, np.ndarray]]:
        """`maps` as a single slab."""
        yield slice(0, len(hu)), self.maps(hu)

    def maps(self, hu: np.ndarray, *_: Any, **__: Any) -> np.ndarray:
        """Probability maps (classes, z, y, x) float32 of HU (z, y, x): Gaussian means over overlapping windows.

        Those of the last HU are kept, as the whole scan is asked for twice.
        """
        if self._last is None or not np.array_equal(self._last[0], hu):
            self._last = hu.copy(), self._blended(hu)
        return self._last[1].copy()

    def _blended(self, hu: np.ndarray) -> np.ndarray:
        padding = [(0, max(0, p - n)) for n, p in zip(hu.shape, self.config.patch, strict=True)]
        padded = np.pad(hu, padding, constant_values=AIR_HU)
        weights = gaussian_weights(self.config.patch)
        total, weight = np.zeros((self.config.outputs, *padded.shape), np.float32), np.zeros(padded.shape, np.float32)
        for window in self._windows(padded.shape):
            total[(slice(None), *window)] += self._probabilities(padded[window]) * weights
            weight[window] += weights
        z, y, x = hu.shape
        return (total / weight)[:, :z, :y, :x]

    def _windows(self, shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
        patch = self.config.patch
        starts = (window_starts(n, w, self.config.overlap) for n, w in zip(shape, patch, strict=True))
        return (tuple(slice(a, a + w) for a, w in zip(corner, patch, strict=True)) for corner in product(*starts))

    def _probabilities(self, hu: np.ndarray) -> np.ndarray:
        return self.backend(normalized(np.ascontiguousarray(hu), self.config))


def raw_labels(network: ExactNetwork, volume: Volume) -> np.ndarray:
    """uint8 class index (z, y, x) on the CT's own grid."""
    grid = network_grid(volume, network.config)
    maps = network.maps(network_input(volume, grid, network.config))
    part, window = labels_on_volume(scores_of(maps, network.config), grid, volume)
    labels = np.zeros(volume.array.shape, np.uint8)
    labels[window] = part
    return labels


def parsed_labels(network: ExactNetwork | Predictor, volume: Volume, region: str) -> LabelMap:
    """The parser's result with a network in place of its own, around the kidneys or over the whole scan."""
    overlap = network.config.overlap if region == WHOLE else None
    parser = KidneyParser(Options(model=MODEL, region=region, overlap=overlap, cleanup=region != WHOLE))
    parser.networks[MODEL] = network
    parser.members = [network]
    return parser.parse(volume)


def write_references(ct: Path, network: nn.Module, config: NetworkConfig, folder: Path) -> None:
    """Writes `raw.nii.gz`, `whole.nii.gz` and `auto.nii.gz` into the folder; those that are there are kept."""
    import SimpleITK as sitk

    torch.set_num_threads(cores())
    volume, backend = read_ct(ct), PlainBackend(network)
    exact = ExactNetwork(backend, config)
    if not (raw := folder / f"{RAW}.nii.gz").exists():
        sitk.WriteImage(image_from_array(raw_labels(exact, volume), volume.affine), str(raw), useCompression=True)
    for region, used in ((WHOLE, exact), (AUTO, Predictor(backend, config))):
        if not (path := folder / f"{region}.nii.gz").exists():
            write_label_map(parsed_labels(used, volume, region), path)
