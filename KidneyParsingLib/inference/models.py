"""Released networks, loaded and ready to run."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import torch

from ..networks.checkpoint import load_network, require_released
from ..networks.configs import NetworkConfig
from .backends.backend import Backend
from .backends.choice import NetworkToRun, choose_backend
from .backends.torch_backend import tells_boundary
from .network_pass import Predictor, no_log
from .registry import find_network


def load(
    name: str,
    device: torch.device,
    backend: str = "auto",
    half: bool = False,
    log: Callable[[str], None] = no_log,
) -> Predictor:
    """The released network of this name, ready to run. Raises InputError if its file is missing or not the released
    one, or if the backend cannot run it."""
    entry = find_network(name)
    require_released(entry.path, entry.sha256)  # also where it is kept from an earlier load
    chosen, config, on_cpu, boundary = _prepared(
        entry.path, entry.sha256, device, backend, half, torch.get_num_threads()
    )
    return Predictor(chosen, config, on_cpu if device.type != "cpu" else None, log, boundary)


@lru_cache(maxsize=16)
def _prepared(
    path: Path, sha256: str, device: torch.device, backend: str, half: bool, threads: int
) -> tuple[Backend, NetworkConfig, Callable[[], Backend], bool]:
    """A network on its backend, its config, what makes its backend for the CPU, and whether it tells boundaries. Kept,
    so that a run with other options does not load it again; `threads` are the backend's for its lifetime."""
    network, config = load_network(path, sha256)
    to_run = NetworkToRun(network, config, sha256, half, boundary=True)
    on_cpu = partial(_on_cpu, to_run)
    return choose_backend(backend, to_run, device), config, on_cpu, tells_boundary(network)


def _on_cpu(to_run: NetworkToRun) -> Backend:
    """A copy, as the network itself stays where it is for the next run."""
    cpu = torch.device("cpu")
    return choose_backend("torch", replace(to_run, network=deepcopy(to_run.network).to(cpu)), cpu)
