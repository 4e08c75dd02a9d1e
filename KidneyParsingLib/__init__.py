"""Kidney, tumor, artery, vein and ureter from CT: networks, training, inference and segments for 3D Slicer.

Research software, not a medical device. Importing this package is cheap: what computes (torch, OpenVINO) is loaded
at the first `segment` call.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["segment"]


def __getattr__(name: str) -> Any:
    if name == "segment":
        from .inference.api import segment

        return segment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
