"""What the KiTS and KiPA22 challenges call things: label values, evaluated classes, tolerances."""

from __future__ import annotations

from ..anatomy import labels_of

# KiTS's hierarchical evaluation classes, as labels of ours (KITS_HEC_LABEL_MAPPING in neheller/kits21 and kits23,
# configuration/labels.py).
KITS_CLASSES: dict[str, tuple[int, ...]] = {
    "kidney_and_mass": labels_of("kidney", "tumor", "cyst"),
    "mass": labels_of("tumor", "cyst"),
    "tumor": labels_of("tumor"),
}
# Tolerances of KiTS21's and KiTS23's surface Dice, mm, from the disagreement of its annotators (HEC_SD_TOLERANCES_MM in
# neheller/kits23 at c1088353, kits23/configuration/labels.py, and in the last kits21).
KITS_TOLERANCES_MM: dict[str, float] = {
    "kidney_and_mass": 1.0330772532390826,
    "mass": 1.1328796488598762,
    "tumor": 1.1498198361434828,
}
# The two measures that KiTS21 and KiTS23 rank by, of each of the classes.
KITS_METRICS = ("dice", "surface_dice")

# Label values in the challenges' files -> structures. KiTS19 has no cysts: they are kidney there.
LABEL_CONVENTIONS: dict[str, dict[int, str]] = {
    "kits": {1: "kidney", 2: "tumor", 3: "cyst"},
    "kipa": {1: "vein", 2: "kidney", 3: "artery", 4: "tumor"},
}
