"""What the panel says of a CT: its grid and coverage, what may go wrong, and its contrast phase once that was measured.

Nothing certain is known of the phase before the vessels are segmented, so nothing is said of it before.
"""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from .ResultRecord import contrastOf, latestResultOf
from .Texts import phaseText, tissueText
from .Translation import translated


def scanText(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    """A few lines about a volume node; takes some hundredths of a second, also for a large CT."""
    from KidneyParsingLib.mrml.scene import volume_of
    from KidneyParsingLib.volumes.overview import scan_overview

    image = volumeNode.GetImageData()
    if image is None or not image.GetNumberOfPoints() or image.GetPointData().GetScalars() is None:
        return _("The volume is empty.")
    if image.GetNumberOfScalarComponents() > 1:
        return _("This is a color image and no CT; choose another volume.")
    overview = scan_overview(volume_of(volumeNode))
    grid = _("{size} voxels of {spacing} mm").format(
        size=" x ".join(str(count) for count in overview.shape),
        spacing=" x ".join(f"{mm:.2g}" for mm in overview.spacing_mm),
    )
    phase, phaseNotes = _contrast(volumeNode)
    notes = [*map(translated, overview.warnings), *_transformNotes(volumeNode), *phaseNotes]
    noted = [_("Note: {warning}").format(warning=note) for note in notes]
    return "\n".join([f"{grid}, {translated(overview.covers)}.", phase, *noted])


def _contrast(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> tuple[str, list[str]]:
    """The line about the phase, and what it means for the result."""
    from KidneyParsingLib.volumes.overview import NO_CONTRAST, UNKNOWN

    result = latestResultOf(volumeNode)
    contrast = contrastOf(result) if result else None
    if contrast is None:
        return _("Contrast phase: known after the run."), []
    if contrast.phase == UNKNOWN:
        return _("Contrast phase: unknown, as kidney and artery were not both found."), []
    hu = ", ".join(f"{tissueText(name)} {value}" for name, value in contrast.hu.items())
    line = _("Contrast phase: {phase}, by the HU in the result ({hu}).").format(phase=phaseText(contrast.phase), hu=hu)
    plain = contrast.phase == NO_CONTRAST
    return line, [_("Without contrast medium, vessels and tumors are hardly found.")] if plain else []


def _transformNotes(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """Slicer's DICOM import corrects uneven slices and a tilted gantry by a transform that bends the volume."""
    transform = volumeNode.GetParentTransformNode()
    if transform is None or transform.IsTransformToWorldLinear():
        return []
    text = _("A transform bends the CT, as for uneven slices or a tilted gantry. It is applied to the result too.")
    return [text]
