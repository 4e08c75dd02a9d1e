"""Networks run by torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ...networks.precision import autocast
from .backend import Tick, no_tick

# The shares of the work are found on an image of at most this size; a multiple of every network's stride.
_PROBE_VOXELS = 64


class TorchBackend:
    """A network on its device, in channels-last layout where convolutions are fastest that way.

    `half` is the number type of mixed precision, None for float32. With `boundary` the boundary's probability is the
    last map of networks that have one. With `compiled` torch.compile makes kernels for each size of image, on CUDA in a
    graph; then `tick` is called only between passes, as there are no single convolutions any more.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        half: torch.dtype | None = None,
        boundary: bool = False,
        compiled: bool = False,
    ) -> None:
        self.name = "compiled" if compiled else "torch"
        self.network = _on_device(network, device)
        self.device = device
        self.half = half
        run = raw_maps(network, boundary)
        self._run = torch.compile(run, dynamic=False, mode="reduce-overhead") if compiled else run
        self._shares: list[float] | None = None

    @torch.inference_mode()
    def __call__(self, image: torch.Tensor, tick: Tick = no_tick) -> torch.Tensor:
        """See Backend."""
        with self._ticking(image, tick), autocast(self.device, self.half):
            return self._run(image).float()

    def release(self) -> None:
        """torch keeps nothing on a CPU; on a GPU its cache goes back."""
        if self.device.type == "cuda":
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
            for module in _convolutions(self.network)
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
            hooks = [m.register_forward_hook(_noting(work)) for m in _convolutions(self.network)]
            self._run(image[..., :_PROBE_VOXELS, :_PROBE_VOXELS, :_PROBE_VOXELS])
            for hook in hooks:
                hook.remove()
            total = sum(work)
            self._shares = [sum(work[:i]) / total for i in range(len(work))]
        return self._shares


def raw_maps(network: nn.Module, boundary: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    """What is run of a network: its maps, with `boundary` and where it has one with the boundary's probability as last
    map."""
    return network.predict_with_boundary if boundary and tells_boundary(network) else network.predict


def tells_boundary(network: nn.Module) -> bool:
    """Whether a network can say how likely a voxel lies on a surface."""
    return hasattr(network, "predict_with_boundary")


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
