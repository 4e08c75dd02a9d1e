"""The sample CT of the extension, without Slicer's module Sample Data."""

from __future__ import annotations

import slicer


def load_sample():
    """The sample CT as Sample Data would load it."""
    from KidneyParsingModuleLib.SampleData import _sampleFiles, sampleFolder

    from KidneyParsingLib.mrml.scene import volume_node
    from KidneyParsingLib.volumes.reading import read_ct

    name = _sampleFiles()[0]["name"]
    return volume_node(slicer.mrmlScene, read_ct(sampleFolder() / name), "Kidney CTA")
