"""Slicer's views, which are not there without a main window."""

from __future__ import annotations

import slicer


def center3DViews() -> None:
    """Turn all 3D views' centers to what is shown; layout, zoom and direction stay."""
    layoutManager = slicer.app.layoutManager()
    if layoutManager is None:
        return
    for index in range(layoutManager.threeDViewCount):
        layoutManager.threeDWidget(index).threeDView().resetFocalPoint()
