"""A network as an ONNX file, which OpenVINO and ONNX Runtime read. Needs torch only to write one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ...cache import cache_folder

if TYPE_CHECKING:
    from .network_maps import NetworkMaps

_OPSET = 17
# More than all released networks make.
_MOST_FILES = 24
INPUT, OUTPUT = "image", "maps"


def onnx_file(make: Callable[[], NetworkMaps], stride: int, key: str) -> Path:
    """The file of a network in the user's cache, made if it is not there; for images of any size in multiples of
    `stride`. `key` names the weights, say by their SHA256, and what of the network is run.

    Raises OSError if it cannot be written and ImportError if torch cannot export here.
    """
    path = cache_folder() / f"{key}-{version('torch')}.onnx"
    if path.exists():
        with suppress(OSError):
            path.touch()  # when it was used last
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        export(make(), stride, unfinished)
        os.replace(unfinished, path)
        _forget_all_but(_MOST_FILES, path.parent)
    return path


def is_whole(path: Path) -> bool:
    """Whether a file is a valid ONNX model."""
    import onnx

    try:
        onnx.checker.check_model(str(path))
    except Exception:  # onnx's own errors, and those of the format it is stored in
        return False
    return True


def _forget_all_but(count: int, folder: Path) -> None:
    """Removes all ONNX files but those used last: those of weights and torch versions that are gone."""
    for path in sorted(folder.glob("*.onnx"), key=_last_used, reverse=True)[count:]:
        with suppress(OSError):  # another process reads it, or has removed it
            path.unlink()


def _last_used(path: Path) -> float:
    """When a file was used last; 0 where another process has just removed it."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def export(network: NetworkMaps, stride: int, path: Path) -> None:
    """Writes the network to an ONNX file of one input (1, 1, D, H, W) and one output (1, maps, D, H, W)."""
    import torch

    sizes = {2: "depth", 3: "height", 4: "width"}
    with warnings.catch_warnings():
        # The newer exporter needs two more packages and tens of seconds.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (torch.zeros(1, 1, *(2 * stride,) * 3),),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: sizes, OUTPUT: sizes},
            opset_version=_OPSET,
            dynamo=False,
        )
