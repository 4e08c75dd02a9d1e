"""Going from one review place to the next, and showing it on all slice views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import slicer


def jumpTo(
    scene: slicer.vtkMRMLScene,
    centerRas: Sequence[float],
    volumeNode: slicer.vtkMRMLTransformableNode | None = None,
) -> None:
    """Centre every slice view on a point (mm, RAS); zoom and orientation stay.

    A place of a result is given in the space of its CT: with the `volumeNode`, the point follows its parent transform.
    """
    point = [float(value) for value in centerRas]
    if volumeNode is not None:
        moved = [0.0, 0.0, 0.0]
        volumeNode.TransformPointToWorld(point, moved)
        point = moved
    sliceNode = slicer.vtkMRMLSliceNode
    sliceNode.JumpAllSlices(scene, *point, sliceNode.CenteredJumpSlice)


class PlaceTour:
    """Review places in their order, one of them current; the first call of `next` or `previous` enters the tour.

    `places` are as a run returns them (see `review.ReviewPlace`, as dicts). After the last place comes the first.
    """

    def __init__(self, places: Sequence[Mapping[str, Any]]) -> None:
        self._places = tuple(places)
        self._index: int | None = None

    @property
    def count(self) -> int:
        """How many places there are."""
        return len(self._places)

    @property
    def index(self) -> int | None:
        """Number of the current place from 0, None before the first step."""
        return self._index

    @property
    def current(self) -> Mapping[str, Any] | None:
        """The current place, None before the first step."""
        return None if self._index is None else self._places[self._index]

    def next(self) -> Mapping[str, Any] | None:
        """Step to the next place and return it; None if there are none."""
        return self._step(0 if self._index is None else self._index + 1)

    def previous(self) -> Mapping[str, Any] | None:
        """Step to the place before and return it; None if there are none."""
        return self._step(-1 if self._index is None else self._index - 1)

    def _step(self, index: int) -> Mapping[str, Any] | None:
        self._index = index % self.count if self.count else None
        return self.current
