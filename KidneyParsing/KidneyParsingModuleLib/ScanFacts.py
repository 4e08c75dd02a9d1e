"""What can be told of a CT before it is segmented: grid, coverage, phase by its name, and what may go wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

THICK_MM = 3.0
SHORT_MM = 150.0
_SAMPLED_VOXELS = 200_000
# In the order in which they are looked for: "portal venous" is not the corticomedullary phase, "non" not a contrast.
_PHASES = (
    (r"non[ -]?con|native|nativ|unenhanced|without", "without contrast"),
    (r"delay|excret|urograph|late", "excretory"),
    (r"portal|venous|nephro", "nephrographic or portal venous"),
    (r"arter|cortico|angio|cta", "arterial"),
)


@dataclass(frozen=True)
class ScanFacts:
    """`lines` say what the scan is, `warnings` what to keep in mind; both are sentences for the user."""

    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def scanFacts(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> ScanFacts:
    """Look at a volume node; takes milliseconds, also for a large CT."""
    image = volumeNode.GetImageData()
    if image is None or not image.GetNumberOfPoints():
        return ScanFacts(warnings=(_("The volume is empty."),))
    size = " x ".join(str(count) for count in image.GetDimensions())
    spacing = " x ".join(f"{mm:.2g}" for mm in volumeNode.GetSpacing())
    grid = _("{size} voxels of {spacing} mm").format(size=size, spacing=spacing)
    coverage = _coverage(volumeNode)
    lines = (grid, _("{mm:.0f} mm from head to foot").format(mm=coverage), _phaseText(volumeNode))
    return ScanFacts(lines, tuple(_warnings(volumeNode, coverage)))


def phaseOf(text: str) -> str:
    """The contrast phase that a series' name tells of, empty if it tells of none."""
    for pattern, phase in _PHASES:
        if re.search(rf"(?<![a-z])({pattern})", text.lower()):
            return phase
    return ""


def _phaseText(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    phase = phaseOf(volumeNode.GetName() or "")
    return _("phase by its name: {phase}").format(phase=phase) if phase else _("phase unknown")


def _coverage(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> float:
    bounds = [0.0] * 6
    volumeNode.GetRASBounds(bounds)
    return bounds[5] - bounds[4]


def _warnings(volumeNode: slicer.vtkMRMLScalarVolumeNode, coverage: float) -> list[str]:
    checks = (
        (max(volumeNode.GetSpacing()) > THICK_MM, _("Slices are thick: small vessels and ureters will be incomplete.")),
        (coverage < SHORT_MM, _("The scan is short: it may cut the kidneys.")),
        (_lowest(volumeNode) >= 0, _("The voxels do not look like Hounsfield units: a CT has negative ones.")),
        (phaseOf(volumeNode.GetName() or "") == "without contrast", _("Vessels and tumors need contrast medium.")),
    )
    return [text for holds, text in checks if holds]


def _lowest(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> float:
    from vtk.util.numpy_support import vtk_to_numpy

    values = vtk_to_numpy(volumeNode.GetImageData().GetPointData().GetScalars())
    return float(values[:: max(1, len(values) // _SAMPLED_VOXELS)].min())
