"""Texts of the module and numbers as its panel shows them."""

from __future__ import annotations

from slicer.i18n import tr as _


def helpText() -> str:
    """What the module does, for its help section."""
    return _("""
<p>Segments kidneys, tumors, arteries, veins and ureters in contrast-enhanced CT into editable segments with names,
colors and codes. Choose a CT volume and press <b>Apply</b>; review every segment in slices and 3D, and correct it in
the Segment Editor.</p>
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


def formatElapsed(seconds: float) -> str:
    """Minutes and seconds, such as 2:05."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def formatVolume(milliliters: float) -> str:
    """One decimal, two for what is smaller than 10 ml."""
    return f"{milliliters:.1f}" if milliliters >= 10 else f"{milliliters:.2f}"
