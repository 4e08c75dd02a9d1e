"""Networks run by torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from ...networks.configs import NetworkConfig
from ...networks.precision import autocast
from .backend import Tick, no_tick
from .network_maps import NetworkMaps

# The shares of the work are found on an image of at most this size; a multiple of every network's stride.
_PROBE_VOXELS = 64


class TorchBackend:
    """A network on its device, in channels-last layout where convolutions are fastest that way.

    `half` is the number type of mixed precision, None for float32; `boundary` and `raw` are those of `NetworkMaps`.
    With `compiled` torch.compile makes kernels for each size of image, on CUDA in a graph; then `tick` is called only
    between passes, as there are no single convolutions any more.
    """

    def __init__(
        self,
        network: nn.Module,
        config: NetworkConfig,
        device: torch.device,
        half: torch.dtype | None = None,
        boundary: bool = False,
        raw: bool = False,
        compiled: bool = False,
    ) -> None:
        self.name = "compiled" if compiled else "torch"
        self.device = str(device)
        self._device = device
        self._half = half
        self._network = _on_device(NetworkMaps(network, config, boundary, raw), device)
        run = self._network
        self._run = torch.compile(run, dynamic=False, mode="reduce-overhead") if compiled else run
        self._shares: list[float] | None = None

    @torch.inference_mode()
    def __call__(self, image: np.ndarray, tick: Tick = no_tick) -> np.ndarray:
        """See Backend."""
        on_device = _tensor(image).to(self._device)[None, None]
        with self._ticking(on_device, tick), autocast(self._device, self._half):
            return _array(self._run(on_device)[0].cpu())

    def release(self) -> None:
        """torch keeps nothing on a CPU; on a GPU its cache goes back."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    @contextmanager
    def _ticking(self, image: torch.Tensor, tick: Tick) -> Iterator[None]:
        """Calls `tick` before every convolution."""
        if tick is no_tick or self.name == "compiled":
            tick(0.0)
            yield
            return
        shares = self._convolution_shares(image)
        done = iter(shares)
        hooks = [
            module.register_forward_pre_hook(lambda module, inputs: tick(next(done, 1.0)))
            for module in _convolutions(self._network)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _convolution_shares(self, image: torch.Tensor) -> list[float]:
        """The share of all work that is done before each convolution; the same for images of all sizes."""
        if self._shares is None:
            work: list[float] = []
            hooks = [m.register_forward_hook(_noting(work)) for m in _convolutions(self._network)]
            self._run(image[..., :_PROBE_VOXELS, :_PROBE_VOXELS, :_PROBE_VOXELS])
            for hook in hooks:
                hook.remove()
            total = sum(work)
            self._shares = [sum(work[:i]) / total for i in range(len(work))]
        return self._shares


def _tensor(image: np.ndarray) -> torch.Tensor:
    try:
        return torch.from_numpy(image)
    except RuntimeError:  # torch 2.2, the last for Intel Macs, knows numpy 1 alone, and Slicer brings numpy 2
        return torch.from_dlpack(image)


def _array(maps: torch.Tensor) -> np.ndarray:
    try:
        return maps.numpy()
    except RuntimeError:  # as above; some numpys give what must not be written to
        array = np.from_dlpack(maps)
        return array if array.flags.writeable else array.copy()


def _on_device(network: nn.Module, device: torch.device) -> nn.Module:
    if device.type == "mps":
        return network.to(device)
    return network.to(device, memory_format=torch.channels_last_3d)


def _convolutions(network: nn.Module) -> Iterator[nn.Module]:
    return (m for m in network.modules() if isinstance(m, (nn.Conv3d, nn.ConvTranspose3d)))


def _noting(work: list[float]) -> Callable[..., None]:
    """A hook that notes a convolution's multiplications."""

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        voxels = inputs[0] if isinstance(module, nn.ConvTranspose3d) else output
        work.append(float(module.weight.numel() * voxels[0, 0].numel()))

    return note
