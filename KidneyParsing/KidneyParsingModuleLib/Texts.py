"""Texts of the module and numbers as its panel shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from slicer.i18n import tr as _

from KidneyParsingLib.anatomy import STRUCTURES

from .Translation import translated

LONGEST_NAME = 40


def helpText() -> str:
    """What the module does, for its help section."""
    return _("""
<p>Segments kidneys, tumors, cysts, arteries, veins and ureters in contrast-enhanced CT into editable segments with
names, colors and codes. Top to bottom: choose a CT, press <b>Apply</b>, review every structure in slices and 3D and
visit the places that are worth a look (Alt+N, Alt+P), correct what is wrong, export.</p>
<p><b>Research use only. Not a medical device.</b></p>
""")


def acknowledgementText() -> str:
    """Whose published work the module builds on."""
    return _("""
<p>Please cite the methods you use: He et al., Meta grayscale adaptive network for 3D integrated renal structures
segmentation, Medical Image Analysis 71, 2021 (KiPA22 challenge). Hu et al., Boundary-Aware Network for Kidney Parsing,
arXiv 2208.13338, 2022. Isensee et al., nnU-Net, Nature Methods 18, 2021. Heller et al., The state of the art in kidney
and kidney tumor segmentation in contrast-enhanced CT imaging, Medical Image Analysis 67, 2021.</p>
""")


def modelName(model: Any) -> str:
    """What a system is called in its paper, with which its description begins."""
    name = re.split("[,:]", model.description)[0]
    # A description without a name in it.
    return name if len(name) <= LONGEST_NAME else model.name


def modelText(model: Any) -> str:
    """What a system is and how well it does in its first test; `model` is a ModelInfo."""
    return "\n".join([translated(model.description), *modelScores(model)[:1]])


def modelScores(model: Any) -> list[str]:
    """How well a system does in each of its tests."""
    return [_scoreText(test, dice) for test, dice in model.scores.items()]


def structureText(name: str) -> str:
    """A structure's name as a user reads it, by itself."""
    word = structureWord(name)
    return word[:1].upper() + word[1:]


def structureWord(name: str) -> str:
    """A structure's name within a sentence."""
    words = {entry.name: entry.word for entry in STRUCTURES}
    return translated(words.get(name, name))


def tissueText(name: str) -> str:
    """A tissue in which HU were measured, within a sentence."""
    names = {"cortex": _("renal cortex"), "medulla": _("medulla")}
    return names.get(name) or structureWord(name)


def phaseText(name: str) -> str:
    """A contrast phase of `volumes.overview`, within a sentence."""
    names = {
        "no contrast": _("no contrast medium"),
        "arterial": _("arterial"),
        "corticomedullary": _("corticomedullary"),
        "portal / nephrographic": _("nephrographic (portal venous)"),
        "excretory": _("excretory"),
    }
    return names.get(name, name)


def qualityText(name: str) -> str:
    """A quality as a user reads it."""
    return {"fast": _("Fast"), "default": _("Default"), "best": _("Best")}.get(name, name)


def deviceText(name: str) -> str:
    """A device as a user reads it."""
    names = {"auto": _("Automatic"), "cpu": _("Processor (CPU)"), "cuda": _("GPU"), "mps": _("GPU")}
    return names.get(name, name)


def cardText(card: Any) -> str:
    """A graphics card with its free memory; `card` is a GraphicsCard."""
    text = _("GPU: {name}, {free:.1f} of {total:.1f} GB free")
    return text.format(name=card.name, free=card.freeGB, total=card.totalGB)


def processorText(freeGB: float | None, totalGB: float | None) -> str:
    """The processor with the computer's memory, as far as that is known."""
    if freeGB is None or totalGB is None:
        return deviceText("cpu")
    text = _("{name}, {free:.1f} of {total:.1f} GB free")
    return text.format(name=deviceText("cpu"), free=freeGB, total=totalGB)


def viewText(name: str) -> str:
    """A 3D view's name as a user reads it."""
    names = {
        "Surgeon": _("Surgeon"),
        "Vessels": _("Vessels"),
        "Tumor": _("Tumor"),
        "Collecting system": _("Collecting system"),
    }
    return names.get(name, name)


def viewTip(name: str) -> str:
    """What a 3D view shows."""
    tips = {
        "Surgeon": _("All structures, the kidneys translucent."),
        "Vessels": _("Arteries and veins; kidneys and tumor faint, the rest hidden."),
        "Tumor": _("The tumor and any cysts; everything else faint."),
        "Collecting system": _("The ureters; kidneys, tumor and cysts faint, vessels hidden."),
    }
    return tips.get(name, "")


def axisText(name: str) -> str:
    """A direction of the clip plane as a user reads it."""
    return {"axial": _("Axial"), "coronal": _("Coronal"), "sagittal": _("Sagittal")}.get(name, name)


def offsetText(axis: str, mm: int) -> str:
    """Where the clip plane is (RAS), as Slicer's slice views tell their place."""
    return _("{letter}: {mm} mm").format(letter={"axial": "S", "coronal": "A", "sagittal": "R"}[axis], mm=mm)


def statusText(status: str) -> str:
    """What a reviewer thinks of a segment, as a user reads it."""
    return {"accepted": _("Accepted"), "needs work": _("Needs work")}.get(status, status)


def exportText(kind: str) -> str:
    """A kind of export as a user reads it."""
    names = {
        "seg.nrrd": _("Segmentation (.seg.nrrd)"),
        "nii.gz": _("Label map (NIfTI)"),
        "stl": _("Surfaces for printing (STL)"),
        "obj": _("Surfaces with colors (OBJ)"),
        "glb": _("Surfaces with colors (glTF)"),
        "dcm": _("DICOM Segmentation"),
        "mrb": _("Whole scene (.mrb)"),
    }
    return names.get(kind, kind)


def placeText(place: Mapping[str, Any], number: int, count: int) -> str:
    """Which place it is and why it is worth a look."""
    text = _("{number} of {count}, {structure}, {ml} ml: {reason}")
    structure, ml = structureWord(place["structure"]), formatVolume(place["ml"])
    return text.format(number=number, count=count, structure=structure, ml=ml, reason=translated(place["reason"]))


def formatElapsed(seconds: float) -> str:
    """Minutes and seconds, such as 2:05."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def formatVolume(milliliters: float) -> str:
    """One decimal, two for what is smaller than 10 ml."""
    return f"{milliliters:.1f}" if milliliters >= 10 else f"{milliliters:.2f}"


def _scoreText(test: str, dice: Mapping[str, float]) -> str:
    scores = ", ".join(f"{structureWord(name)} {value:.2f}" for name, value in dice.items())
    return _("{test}: {scores}.").format(test=test, scores=scores)
