"""Training on several processes, started by torchrun: each takes its share of every batch. Without torchrun there is
one process and nothing here does anything."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import InputError
from ..networks.devices import choose_device

# The other processes wait while the first one validates.
_LONGEST_WAIT = timedelta(hours=12)


@contextmanager
def distributed() -> Iterator[None]:
    """Starts the process group that torchrun's environment describes (gloo on CPU, nccl on CUDA) and ends it; does
    nothing when WORLD_SIZE is unset.

    Raises InputError if this torch was built without it.
    """
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    if not dist.is_available():
        raise InputError("This build of torch cannot train on several processes; start the training without torchrun.")
    nccl = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if nccl else "gloo", timeout=_LONGEST_WAIT)
    try:
        yield
    finally:
        # A replica that is still waiting for the garbage collector keeps threads that can abort Python's exit.
        gc.collect()
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process; 0 is the one that writes files and shows progress."""
    return dist.get_rank() if _started() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _started() else 1


def gathered(values: torch.Tensor) -> torch.Tensor:
    """Values (n, ...) of all processes, (world * n, ...) in the order of their ranks; without gradient.

    Every process must call it, with the same shape and type. The order is that of the samples in the global batch.
    """
    if world_size() == 1:
        return values.detach()
    values = values.detach().contiguous()
    parts = [torch.empty_like(values) for _ in range(world_size())]
    dist.all_gather(parts, values)
    return torch.cat(parts)


def share(batch: int) -> range:
    """This process's positions within every global batch. Raises InputError if the batch cannot be shared evenly."""
    processes = world_size()
    if batch % processes:
        raise InputError(
            f"A batch of {batch} cannot be shared by {processes} processes; choose a multiple of {processes}."
        )
    size = batch // processes
    return range(rank() * size, (rank() + 1) * size)


def local_device(name: str) -> torch.device:
    """The torch device that `name` means for this process; `cuda` is a GPU of its own for each process.

    Raises InputError if the device is not there.
    """
    device = choose_device(name)
    if device.type != "cuda" or world_size() == 1:
        return device
    index, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if index >= gpus:
        raise InputError(
            f"This machine has {gpus} GPUs; start at most {gpus} processes on it, or choose the device cpu."
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def replica(network: nn.Module, device: torch.device) -> nn.Module:
    """The network as it is called in training: gradients become the mean over all processes."""
    if world_size() == 1:
        return network
    # Said of 1x1x1 convolutions, whose layout is channels-last and not at the same time.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    return DistributedDataParallel(network, device_ids=[device.index] if device.type == "cuda" else None)


def copy_from_first(module: nn.Module) -> None:
    """Gives a module (a loss with state) the values that it has in process 0."""
    if world_size() > 1:
        for value in module.state_dict().values():
            dist.broadcast(value, src=0)


def _started() -> bool:
    return dist.is_available() and dist.is_initialized()
