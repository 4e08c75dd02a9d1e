"""Packages that only the evaluation needs: they are optional, and missing ones are named with how to get them."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import InputError


def require(module: str, purpose: str) -> None:
    """Raises InputError unless `module` is installed; `purpose` begins the sentence ("Plots")."""
    if find_spec(module) is None:
        command = "pip install scikit-image matplotlib"
        raise InputError(f"{purpose} cannot be made without {module}; {command} brings it.")
