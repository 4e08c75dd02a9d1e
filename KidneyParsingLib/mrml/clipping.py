"""A plane that cuts the surfaces of a segmentation open in 3D, with caps on the cut."""

from __future__ import annotations

import slicer

from .review_views import resultBounds

# Which way the kept half lies (RAS): we look at a coronal cut from anterior, at an axial one from inferior as on
# slices, at a sagittal one from the left as in Slicer's yellow view.
_KEPT = {"sagittal": (1.0, 0.0, 0.0), "coronal": (0.0, -1.0, 0.0), "axial": (0.0, 0.0, 1.0)}
_ROLE = "KidneyParsing.ClipPlane"


class ClipPlane:
    """Cuts one segmentation by a plane at right angles to the patient; the scene's other nodes stay whole.

    While it is on, the scene holds a clip node and an invisible plane; both leave the scene with `disable`, and a
    clip node that the segmentation had before comes back.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._segmentationId: str | None = None
        self._axis = "coronal"
        self._before: tuple[str | None, bool, bool] | None = None

    @property
    def enabled(self) -> bool:
        """Whether the plane cuts a segmentation that is still in the scene."""
        return self._clipNode() is not None

    @property
    def offsetRange(self) -> tuple[float, float]:
        """Lowest and highest useful offset along the axis (mm, RAS); (0, 0) while nothing is cut."""
        node = self._segmentation()
        bounds = resultBounds(node) if node else None
        first = 2 * list(_KEPT).index(self._axis)
        return bounds[first : first + 2] if bounds else (0.0, 0.0)

    def enable(self, segmentationNode: slicer.vtkMRMLSegmentationNode, axis: str) -> None:
        """Cut the segmentation in its middle; `axis` is sagittal, coronal or axial.

        A second call changes the axis or the segmentation. Raises KeyError for another axis.
        """
        normal = _KEPT[axis]
        if self._segmentationId != segmentationNode.GetID() or not self.enabled:
            self.disable()
            self._attach(segmentationNode)
        self._axis = axis
        self._plane().SetNormalWorld(normal)
        self.setOffset(sum(self.offsetRange) / 2)

    def setOffset(self, mm: float) -> None:
        """Move the plane to this RAS coordinate (mm) along its axis; nothing happens while it is off."""
        plane = self._plane()
        if plane is None:
            return
        plane.SetOriginWorld([mm if direction else 0.0 for direction in _KEPT[self._axis]])
        # The clip node hears of the plane only by its events, and asks it for the function anew only then.
        self._clipNode().Modified()

    def disable(self) -> None:
        """Show whole surfaces again, and take the plane out of the scene."""
        node, clipNode, plane = self._segmentation(), self._clipNode(), self._plane()
        if node and node.GetDisplayNode() and self._before:
            clipId, clipping, caps = self._before
            display = node.GetDisplayNode()
            display.SetAndObserveClipNodeID(clipId)
            display.SetClipping(clipping)
            display.SetClippingCapSurface(caps)
        for added in (clipNode, plane):
            if added and added.GetScene():
                self._scene.RemoveNode(added)
        self._segmentationId = self._before = None

    def _attach(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        display = node.GetDisplayNode()
        self._segmentationId = node.GetID()
        if self.enabled:
            # Our own plane, saved with the scene while it was on.
            self._before = (None, False, False)
            return
        previous = display.GetClipNode()
        self._before = (previous.GetID() if previous else None, display.GetClipping(), display.GetClippingCapSurface())
        clipNode = self._scene.AddNewNodeByClass("vtkMRMLClipNode", "KidneyParsing clip")
        clipNode.SetAttribute(_ROLE, "1")
        clipNode.SetHideFromEditors(True)
        clipNode.AddAndObserveClippingNodeID(self._hiddenPlane().GetID())
        clipNode.SetNthClippingNodeState(0, clipNode.ClipPositiveSpace)
        display.SetAndObserveClipNodeID(clipNode.GetID())
        display.SetClippingCapSurface(True)
        display.SetClipping(True)

    def _hiddenPlane(self) -> slicer.vtkMRMLMarkupsPlaneNode:
        plane = self._scene.AddNewNodeByClass("vtkMRMLMarkupsPlaneNode", "KidneyParsing clip plane")
        plane.SetHideFromEditors(True)
        plane.CreateDefaultDisplayNodes()
        plane.SetDisplayVisibility(False)
        plane.SetLocked(True)
        return plane

    def _segmentation(self) -> slicer.vtkMRMLSegmentationNode | None:
        return self._scene.GetNodeByID(self._segmentationId) if self._segmentationId else None

    def _clipNode(self) -> slicer.vtkMRMLClipNode | None:
        node = self._segmentation()
        clipNode = node.GetDisplayNode().GetClipNode() if node and node.GetDisplayNode() else None
        return clipNode if clipNode and clipNode.GetAttribute(_ROLE) else None

    def _plane(self) -> slicer.vtkMRMLMarkupsPlaneNode | None:
        clipNode = self._clipNode()
        return clipNode.GetClippingNode() if clipNode else None
