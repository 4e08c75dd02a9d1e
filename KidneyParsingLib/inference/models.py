"""Released networks, loaded and ready to run."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..networks.configs import NetworkConfig
from ..networks.released import released_config, require_released
from ..threads import thread_count
from .backends.backend import Backend
from .backends.choice import NetworkToRun, choose_backend
from .devices import is_cpu
from .network_pass import Predictor, no_log
from .registry import find_network

if TYPE_CHECKING:
    from torch import nn


def load(
    name: str,
    device: str,
    backend: str = "auto",
    half: bool = False,
    log: Callable[[str], None] = no_log,
) -> Predictor:
    """The released network of this name, ready to run. Raises InputError if its file is missing or not the released
    one, or if the backend cannot run it."""
    entry = find_network(name)
    require_released(entry.path, entry.sha256)  # also where it is kept from an earlier load
    chosen, to_run = _prepared(entry.path, entry.sha256, device, backend, half, thread_count())
    on_cpu = None if is_cpu(device) else lambda: choose_backend("torch", to_run)
    return Predictor(chosen, to_run.config, on_cpu, log, to_run.gives_boundary)


def unload() -> None:
    """Forgets all loaded networks; those that nobody holds any more give back their memory."""
    _prepared.cache_clear()


@lru_cache(maxsize=16)
def _prepared(
    path: Path, sha256: str, device: str, backend: str, half: bool, threads: int
) -> tuple[Backend, NetworkToRun]:
    """A network on its backend. Kept, so that a run with other options does not load it again; `threads` are the
    backend's for its lifetime."""
    config: NetworkConfig = released_config(path)
    to_run = NetworkToRun(lambda: _network(path, sha256), config, sha256, half, boundary=True)
    return choose_backend(backend, to_run, device), to_run


def _network(path: Path, sha256: str) -> nn.Module:
    from ..networks.checkpoint import load_network

    return load_network(path, sha256)[0]
