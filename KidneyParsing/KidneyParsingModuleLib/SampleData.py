"""The made CTA that comes with the extension, in Slicer's Sample Data; nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

CATEGORY = "Kidney Parsing"
CTA_NAME = "Kidney CTA"
CTA_WITH_TRUTH_NAME = "Kidney CTA with truth"
LIST_NAME = "sample_data.json"
_MODULE_FOLDER = Path(__file__).resolve().parents[1]


def registerSampleData() -> None:
    """Add the made CTA, alone and with its true segments, to Sample Data. Does nothing if the files are not there."""
    files = _sampleFiles()
    if not files:
        return
    from SampleData import SampleDataLogic

    if hasattr(SampleDataLogic, "registerCustomSampleDataCategory"):
        # Slicer 5.12 and newer; older ones show the category's own name.
        SampleDataLogic.registerCustomSampleDataCategory(CATEGORY, title=_("Kidney Parsing"))
    _register(SampleDataLogic, CTA_NAME, files[:1])
    _register(SampleDataLogic, CTA_WITH_TRUTH_NAME, files)


def loadSampleCTA() -> slicer.vtkMRMLScalarVolumeNode:
    """The made CTA, loaded into the scene. Raises RuntimeError with a sentence if it cannot be."""
    from SampleData import SampleDataLogic

    registerSampleData()
    nodes = SampleDataLogic().downloadSamples(CTA_NAME)
    if not nodes or nodes[0] is None:
        raise RuntimeError(_("The sample CT could not be loaded; install the extension Kidney Parsing again."))
    return nodes[0]


def sampleFolder() -> Path | None:
    """The folder of the sample files: in the module's resources when installed, Resources in a checkout."""
    folders = (_MODULE_FOLDER / "Resources" / "SampleData", _MODULE_FOLDER.parent / "Resources")
    return next((folder for folder in folders if (folder / LIST_NAME).is_file()), None)


def _sampleFiles() -> list[dict[str, str]]:
    """The list of sample_data.json, the CTA first: what Sample Data needs to know of each file."""
    folder = sampleFolder()
    if folder is None:
        return []
    files = json.loads((folder / LIST_NAME).read_text(encoding="utf-8"))["files"]
    # Sample Data copies from the address into its cache, so a file's own address will do.
    return [{**file, "uri": (folder / file["name"]).as_uri()} for file in files]


def _register(logic: Any, name: str, files: list[dict[str, str]]) -> None:
    logic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=name,
        thumbnailFileName=str(_MODULE_FOLDER / "Resources" / "Icons" / f"{name.replace(' ', '')}.png"),
        uris=[file["uri"] for file in files],
        # In the cache, where all modules' files lie side by side.
        fileNames=[f"KidneyParsing-{file['name']}" for file in files],
        nodeNames=[file["nodeName"] for file in files],
        loadFileTypes=[file["fileType"] for file in files],
        checksums=[f"SHA256:{file['sha256']}" for file in files],
    )
