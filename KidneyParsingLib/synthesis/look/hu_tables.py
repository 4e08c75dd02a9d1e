"""HU of tissues: without contrast, their ranges in every phase, and their texture (sources: docs/appearance.md)."""

from __future__ import annotations

import numpy as np

from ..tissues import NUM_TISSUES, Tissue

PHASES = ("none", "arterial", "corticomedullary", "portal", "excretory")

# Mean HU without contrast at 120 kVp.
PLAIN_HU: dict[Tissue, tuple[float, float]] = {
    Tissue.AIR: (-1000, -1000), Tissue.FAT: (-115, -88), Tissue.SKIN: (-20, 50), Tissue.MUSCLE: (26, 58),
    Tissue.BONE: (400, 1100), Tissue.MARROW: (35, 260), Tissue.DISC: (55, 110), Tissue.LUNG: (-900, -750),
    Tissue.LIVER: (35, 68), Tissue.SPLEEN: (38, 56), Tissue.PANCREAS: (25, 50), Tissue.GALLBLADDER: (-5, 22),
    Tissue.STOMACH: (0, 50), Tissue.BOWEL_WALL: (25, 52), Tissue.BOWEL_GAS: (-1000, -750),
    Tissue.BOWEL_FLUID: (-20, 60), Tissue.ADRENAL: (5, 40), Tissue.HEART: (35, 50),
    Tissue.OTHER_VEIN: (35, 50), Tissue.OTHER_ARTERY: (35, 50), Tissue.TABLE: (-700, 150), Tissue.FLUID: (0, 25),
    Tissue.PORTAL_VEIN: (35, 50), Tissue.BOWEL_CONTRAST: (90, 500), Tissue.STOOL: (-150, 60),
    Tissue.BLADDER_URINE: (-5, 18), Tissue.LYMPH_NODE: (25, 45), Tissue.CLOTH: (-900, -500),
    Tissue.METAL: (2000, 3000), Tissue.CORTEX: (26, 42), Tissue.MEDULLA: (26, 42), Tissue.TUMOR: (24, 46),
    Tissue.CYST: (-6, 22), Tissue.ARTERY: (35, 50), Tissue.VEIN: (35, 50), Tissue.URINE: (-5, 18),
    Tissue.NECROSIS: (5, 28), Tissue.TUMOR_FAT: (-110, -20), Tissue.TUMOR_CALCIUM: (150, 900),
    Tissue.THROMBUS: (30, 60), Tissue.PLAQUE: (200, 1000), Tissue.STONE: (300, 1500), Tissue.STENT: (400, 1500),
}  # fmt: skip

# Mean HU of what enhances, by phase from arterial to excretory.
ENHANCED_HU: dict[Tissue, tuple[tuple[float, float], ...]] = {
    Tissue.SKIN: ((-10, 55), (-10, 60), (-5, 65), (-5, 60)),
    Tissue.MUSCLE: ((32, 66), (35, 70), (38, 76), (38, 72)),
    Tissue.LIVER: ((45, 80), (55, 95), (80, 135), (70, 110)),
    Tissue.SPLEEN: ((80, 160), (95, 160), (95, 145), (75, 115)),
    Tissue.PANCREAS: ((60, 125), (75, 135), (70, 115), (55, 90)),
    Tissue.BOWEL_WALL: ((40, 95), (55, 120), (60, 115), (50, 90)),
    Tissue.ADRENAL: ((35, 85), (45, 95), (50, 90), (35, 75)),
    Tissue.HEART: ((120, 320), (110, 240), (100, 170), (75, 120)),
    Tissue.LYMPH_NODE: ((30, 80), (40, 95), (55, 110), (45, 90)),
    Tissue.THROMBUS: ((30, 90), (30, 100), (30, 95), (30, 80)),
    Tissue.NECROSIS: ((5, 32), (5, 34), (5, 36), (5, 36)),
    Tissue.OTHER_VEIN: ((40, 90), (45, 150), (100, 190), (70, 130)),
    Tissue.PORTAL_VEIN: ((45, 110), (60, 180), (120, 210), (75, 130)),
    Tissue.CORTEX: ((90, 230), (120, 250), (130, 230), (100, 180)),
    Tissue.MEDULLA: ((32, 75), (35, 110), (100, 220), (100, 190)),
    Tissue.TUMOR: ((40, 190), (45, 200), (45, 150), (40, 115)),
    Tissue.ARTERY: ((170, 450), (130, 320), (105, 190), (70, 125)),
    Tissue.OTHER_ARTERY: ((170, 450), (130, 320), (105, 190), (70, 125)),
    Tissue.VEIN: ((45, 190), (50, 230), (75, 190), (70, 125)),
    Tissue.URINE: ((-5, 20), (-5, 20), (-5, 30), (120, 1500)),
    Tissue.BLADDER_URINE: ((-5, 18), (-5, 18), (-5, 20), (-5, 500)),
}  # fmt: skip

# Standard deviation of the texture inside a tissue, HU: grain of about 3 mm, and patches of about 9 mm (our choice).
_TEXTURE_HU: dict[Tissue, tuple[float, float]] = {
    Tissue.AIR: (0, 0), Tissue.BOWEL_GAS: (5, 10), Tissue.FAT: (5, 5), Tissue.SKIN: (10, 5), Tissue.MUSCLE: (11, 12),
    Tissue.BONE: (70, 90), Tissue.MARROW: (45, 40), Tissue.DISC: (8, 6), Tissue.LUNG: (25, 35),
    Tissue.LIVER: (4, 4), Tissue.SPLEEN: (3, 3), Tissue.PANCREAS: (12, 9), Tissue.STOMACH: (20, 22),
    Tissue.BOWEL_WALL: (7, 9), Tissue.BOWEL_FLUID: (15, 16), Tissue.BOWEL_CONTRAST: (30, 55), Tissue.STOOL: (60, 55),
    Tissue.HEART: (8, 15), Tissue.TABLE: (40, 45), Tissue.CLOTH: (80, 80), Tissue.CORTEX: (6, 5),
    Tissue.MEDULLA: (7, 6), Tissue.TUMOR: (7, 7), Tissue.NECROSIS: (5, 6), Tissue.TUMOR_FAT: (14, 16),
    Tissue.TUMOR_CALCIUM: (80, 80), Tissue.METAL: (100, 0), Tissue.CYST: (1, 1), Tissue.FLUID: (1, 2),
    Tissue.GALLBLADDER: (1, 2), Tissue.BLADDER_URINE: (1, 2), Tissue.URINE: (3, 3), Tissue.ARTERY: (2, 3),
    Tissue.VEIN: (2, 3), Tissue.LYMPH_NODE: (5, 4), Tissue.PLAQUE: (80, 60),
}  # fmt: skip


def texture_table() -> np.ndarray:
    """float (NUM_TISSUES, 2): standard deviation of grain and of patches, HU."""
    table = np.full((NUM_TISSUES, 2), 3.0)
    for tissue, pair in _TEXTURE_HU.items():
        table[tissue] = pair
    return table
