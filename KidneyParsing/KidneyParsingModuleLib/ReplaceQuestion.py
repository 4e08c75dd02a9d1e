"""What to do with a result that someone has worked on when its CT is segmented again."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from .ResultImporter import Replacement
from .ResultRecord import isEdited, isResultOf


class RunDeclined(Exception):
    """The user would rather not run."""


def replacementFor(
    node: slicer.vtkMRMLSegmentationNode | None, volumeNode: slicer.vtkMRMLScalarVolumeNode | None
) -> Replacement | None:
    """The earlier result of this CT that the next one takes the place of, None for a new segmentation.

    An edited one is replaced only if the user says so. Raises RunDeclined if the user cancels.
    """
    if not (node and volumeNode) or not isResultOf(node, volumeNode):
        return None
    return Replacement.of(node) if not isEdited(node) or _askToReplace(node.GetName()) else None


def _askToReplace(name: str) -> bool:
    text = _(
        "{name} was edited or reviewed.\n\nReplace it by the new result? Undo in Correct brings the edits back. "
        "No keeps it and adds the new result beside it."
    )
    buttons = qt.QMessageBox.Yes | qt.QMessageBox.No | qt.QMessageBox.Cancel
    answer = slicer.util.messageBox(
        text.format(name=name), icon=qt.QMessageBox.Question, standardButtons=buttons, windowTitle=_("Kidney Parsing")
    )
    if answer == qt.QMessageBox.Cancel:
        raise RunDeclined
    # Anything else than a clear yes keeps the user's work, so in testing mode, which answers Ok.
    return answer == qt.QMessageBox.Yes
