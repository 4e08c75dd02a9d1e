"""A plane that cuts the surfaces of a segmentation open in 3D, with caps on the cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
        self._axis = "coronal"
        self._segmentationId: str | None = None
        self._clipId: str | None = None
        self._before: tuple[str | None, bool, bool] = (None, False, False)

    @property
    def enabled(self) -> bool:
        """Whether the plane cuts a segmentation that is still in the scene."""
        display = self._display()
        return display is not None and display.GetClipNode() is not None and display.GetClipNode() is self._clipNode()

    @property
    def offsetRange(self) -> tuple[float, float]:
        """Lowest and highest useful offset along the axis (mm, RAS); (0, 0) while nothing is cut."""
        bounds = resultBounds(self._node(self._segmentationId)) if self.enabled else None
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
        if self.enabled and self._plane():
            self._plane().SetOriginWorld([mm if direction else 0.0 for direction in _KEPT[self._axis]])

    def disable(self) -> None:
        """Show whole surfaces again, and take the plane out of the scene."""
        if self.enabled:
            clipId, clipping, caps = self._before
            display = self._display()
            display.SetAndObserveClipNodeID(clipId)
            display.SetClipping(clipping)
            display.SetClippingCapSurface(caps)
        for added in self._addedNodes():
            self._scene.RemoveNode(added)
        self._segmentationId = self._clipId = None

    def _attach(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        display = node.GetDisplayNode()
        previous = display.GetClipNode()
        self._segmentationId = node.GetID()
        if previous and previous.GetAttribute(_ROLE):
            # Our own plane, saved with the scene while it was on.
            self._clipId, self._before = previous.GetID(), (None, False, False)
            return
        self._before = (previous.GetID() if previous else None, display.GetClipping(), display.GetClippingCapSurface())
        self._clipId = self._newClipNode().GetID()
        display.SetAndObserveClipNodeID(self._clipId)
        display.SetClippingCapSurface(True)
        display.SetClipping(True)

    def _newClipNode(self) -> slicer.vtkMRMLClipNode:
        clipNode = self._scene.AddNewNodeByClass("vtkMRMLClipNode", "KidneyParsing clip")
        clipNode.SetAttribute(_ROLE, "1")
        clipNode.AddAndObserveClippingNodeID(self._newPlane().GetID())
        clipNode.SetNthClippingNodeState(0, clipNode.ClipPositiveSpace)
        return clipNode

    def _newPlane(self) -> slicer.vtkMRMLMarkupsPlaneNode:
        plane = self._scene.CreateNodeByClass("vtkMRMLMarkupsPlaneNode")
        # The scene's call counts a reference that Python does not know of.
        plane.UnRegister(None)
        plane.SetName("KidneyParsing clip plane")
        # Before it is in the scene: the subject hierarchy looks at it only then.
        plane.SetHideFromEditors(True)
        with _placingKept(self._scene):
            self._scene.AddNode(plane)
        plane.CreateDefaultDisplayNodes()
        plane.SetDisplayVisibility(False)
        plane.SetLocked(True)
        return plane

    def _addedNodes(self) -> list[slicer.vtkMRMLNode]:
        """What `enable` has added to the scene, and saving it to these; nodes before those that they refer to."""
        clipNode, plane = self._clipNode(), self._plane()
        nodes = [clipNode, plane]
        if plane:
            nodes += [plane.GetNthDisplayNode(index) for index in range(plane.GetNumberOfDisplayNodes())]
            # Saving a scene gives its nodes files.
            nodes += [plane.GetNthStorageNode(index) for index in range(plane.GetNumberOfStorageNodes())]
        return [node for node in nodes if node]

    def _node(self, nodeId: str | None) -> slicer.vtkMRMLNode | None:
        return self._scene.GetNodeByID(nodeId) if nodeId else None

    def _display(self) -> slicer.vtkMRMLSegmentationDisplayNode | None:
        node = self._node(self._segmentationId)
        return node.GetDisplayNode() if node else None

    def _clipNode(self) -> slicer.vtkMRMLClipNode | None:
        node = self._node(self._clipId)
        return node if node and node.GetAttribute(_ROLE) else None

    def _plane(self) -> slicer.vtkMRMLMarkupsPlaneNode | None:
        clipNode = self._clipNode()
        return clipNode.GetClippingNode() if clipNode else None


@contextmanager
def _placingKept(scene: slicer.vtkMRMLScene) -> Iterator[None]:
    """A new markup becomes what the user's next click in a view would go on drawing; this keeps what was before."""
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    before = (selection.GetActivePlaceNodeClassName(), selection.GetActivePlaceNodeID()) if selection else None
    yield
    if before:
        selection.SetReferenceActivePlaceNodeClassName(before[0])
        selection.SetReferenceActivePlaceNodeID(before[1])
