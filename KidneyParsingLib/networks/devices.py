"""Where torch computes."""

from __future__ import annotations

import torch

from ..errors import InputError
from ..sentences import texts_of

_ = texts_of(__name__)


def choose_device(name: str) -> torch.device:
    """The torch device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; auto is a CUDA GPU or the CPU.

    Raises InputError if the device is not there. MPS must be asked for by name: several of its 3D operations are
    missing or wrong in older versions of torch.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(1, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            _("The device {name!r} cannot be used on this machine; choose auto or cpu.").format(name=name)
        ) from error
