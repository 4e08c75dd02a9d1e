"""The tissues of made anatomy, and which of them a network shall find.

Tissues are finer than structures: the kidney's cortex and medulla enhance differently but are one structure, and the
superior mesenteric artery looks like a renal artery but is background.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from ..anatomy import structure
from ..networks.configs import LOCATOR_CLASSES


class Tissue(IntEnum):
    """Voxel values of made anatomy."""

    AIR = 0
    FAT = 1
    SKIN = 2
    MUSCLE = 3
    BONE = 4
    MARROW = 5
    DISC = 6
    LUNG = 7
    LIVER = 8
    SPLEEN = 9
    PANCREAS = 10
    GALLBLADDER = 11
    STOMACH = 12
    BOWEL_WALL = 13
    BOWEL_GAS = 14
    BOWEL_FLUID = 15
    ADRENAL = 16
    HEART = 17
    OTHER_ARTERY = 18
    OTHER_VEIN = 19
    TABLE = 20
    FLUID = 21
    PORTAL_VEIN = 22
    BOWEL_CONTRAST = 23
    STOOL = 24
    BLADDER_URINE = 25
    LYMPH_NODE = 26
    CLOTH = 27
    METAL = 28
    CORTEX = 30
    MEDULLA = 31
    TUMOR = 32
    CYST = 33
    ARTERY = 34
    VEIN = 35
    URINE = 36
    NECROSIS = 37
    TUMOR_FAT = 38
    TUMOR_CALCIUM = 39
    THROMBUS = 40
    PLAQUE = 41
    STONE = 42
    STENT = 43


TUMOR_TISSUES = (Tissue.TUMOR, Tissue.NECROSIS, Tissue.TUMOR_FAT, Tissue.TUMOR_CALCIUM)
KIDNEY_TISSUES = (Tissue.CORTEX, Tissue.MEDULLA, *TUMOR_TISSUES, Tissue.CYST)
VERTEBRA_TISSUES = (Tissue.MARROW, Tissue.DISC)
NUM_TISSUES = max(Tissue) + 1

_STRUCTURE_OF = {
    Tissue.CORTEX: "kidney",
    Tissue.MEDULLA: "kidney",
    **{tissue: "tumor" for tissue in TUMOR_TISSUES},
    Tissue.CYST: "cyst",
    Tissue.ARTERY: "artery",
    Tissue.PLAQUE: "artery",
    Tissue.VEIN: "vein",
    # KiTS counts a tumor's thrombus to the tumor; a surgeon clears it out of the vein, whose extent we keep whole.
    Tissue.THROMBUS: "vein",
    Tissue.URINE: "ureter",
    Tissue.STONE: "ureter",
    Tissue.STENT: "ureter",
}

_LOCATOR_OF = {Tissue.LIVER: "liver", Tissue.SPLEEN: "spleen", Tissue.MARROW: "spine", Tissue.DISC: "spine"}
_LOCATOR_OF |= {tissue: "kidney" for tissue in KIDNEY_TISSUES}


def structure_lookup() -> np.ndarray:
    """uint8 table from tissue to structure label (`anatomy.Structure.label`, 0 for background)."""
    table = np.zeros(NUM_TISSUES, np.uint8)
    for tissue, name in _STRUCTURE_OF.items():
        table[tissue] = structure(name).label
    return table


def locator_lookup() -> np.ndarray:
    """uint8 table from tissue to the index in `LOCATOR_CLASSES`."""
    table = np.zeros(NUM_TISSUES, np.uint8)
    for tissue, name in _LOCATOR_OF.items():
        table[tissue] = LOCATOR_CLASSES.index(name)
    return table
