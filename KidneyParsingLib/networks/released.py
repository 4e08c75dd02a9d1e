"""Released weights files as far as they can be known without torch: whether they are the released ones, their
configuration."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ..errors import InputError
from ..sentences import texts_of
from .configs import NetworkConfig

_ = texts_of(__name__)


def require_released(path: Path, sha256: str) -> None:
    """Raises InputError if a weights file is missing or not the released one."""
    if _sha256(path) != sha256:
        raise InputError(
            _("{path} is not the released file (its SHA256 differs); get the file again.").format(path=path)
        )


def released_config(path: Path) -> NetworkConfig:
    """The configuration in a weights file. Raises InputError if the file is missing or damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            return NetworkConfig.from_json((file.metadata() or {})["config"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise damaged(path) from error


def damaged(path: Path) -> InputError:
    """What to tell of a weights file that cannot be read."""
    return InputError(_("{path} is missing or damaged; get the file again.").format(path=path))


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(_("{path} is missing; get the file again.").format(path=path)) from error
