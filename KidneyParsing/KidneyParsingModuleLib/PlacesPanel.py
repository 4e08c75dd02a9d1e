"""The panel's tour of the places where a result may be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer
from slicer.i18n import tr as _

from .ResultRecord import placesOf
from .Texts import placeText


class PlacesPanel:
    """Steps from place to place: all slice views go there, and the reason is told."""

    def __init__(self, ui: Any, scene: slicer.vtkMRMLScene) -> None:
        self._ui = ui
        self._scene = scene
        self._volumeNodeID = ""
        self._key: tuple[str, str] | None = None
        self._tour = None
        ui.nextPlaceButton.clicked.connect(self.onNext)
        ui.previousPlaceButton.clicked.connect(self.onPrevious)

    def setSegmentation(self, node: slicer.vtkMRMLSegmentationNode | None, volumeNodeID: str) -> None:
        """Take the places of this result, whose CT's transform they follow; the tour of the same places goes on."""
        from KidneyParsingLib.mrml.jumping import PlaceTour

        self._volumeNodeID = volumeNodeID
        places = placesOf(node) if node else []
        key = (node.GetID(), repr(places)) if node else None
        if key == self._key and self._tour:
            return
        self._key = key
        self._tour = PlaceTour(places)
        for button in (self._ui.nextPlaceButton, self._ui.previousPlaceButton):
            button.setEnabled(bool(places))
        self._ui.placeLabel.setText(self._summary(node))

    def onNext(self, checked: bool = False) -> None:
        """Go to the next place."""
        self._show(self._tour.next())

    def onPrevious(self, checked: bool = False) -> None:
        """Go to the place before."""
        self._show(self._tour.previous())

    def _show(self, place: Mapping[str, Any] | None) -> None:
        from KidneyParsingLib.mrml.jumping import jumpTo

        if place is None:
            return
        volumeNode = self._scene.GetNodeByID(self._volumeNodeID) if self._volumeNodeID else None
        jumpTo(self._scene, place["center_ras"], volumeNode)
        self._ui.placeLabel.setText(placeText(place, self._tour.index + 1, self._tour.count))

    def _summary(self, node: slicer.vtkMRMLSegmentationNode | None) -> str:
        if node is None:
            return _("Apply first, or choose a segmentation.")
        if not self._tour.count:
            return _("No place stands out; check every structure all the same.")
        return _("Places that are worth a look: {count}.").format(count=self._tour.count)
