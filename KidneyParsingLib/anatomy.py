"""The one table of structures: label values, names, codes, colours and opacities, used by everything else.

A *structure* is what a network predicts (kidney, tumor, ...). A *segment* is what a user sees and edits: paired
structures become one segment per side, and every tumor becomes a segment of its own.

Codes are SNOMED CT (scheme SCT) as in Slicer's terminologies "General Anatomy" and "DICOM master list" and in
DICOM PS3.16 (CID 7150, 7151, 244). Colours are apart for colour-blind viewers too (docs/display.md), within the habit
of surgery: artery red, vein blue, collecting system yellow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .sentences import texts_of

_ = texts_of(__name__)

RIGHT = "right"
LEFT = "left"
# What the structures are called within a sentence.
_WORDS = {
    "kidney": _("kidney"),
    "tumor": _("tumor"),
    "artery": _("artery"),
    "vein": _("vein"),
    "ureter": _("ureter"),
    "cyst": _("cyst"),
}


@dataclass(frozen=True)
class Code:
    """A coded concept: value and meaning within a coding scheme."""

    value: str
    meaning: str
    scheme: str = "SCT"


ANATOMICAL_STRUCTURE = Code("123037004", "Anatomical Structure")
ALTERED_STRUCTURE = Code("49755003", "Morphologically Altered Structure")
TISSUE = Code("85756007", "Tissue")
KIDNEY = Code("64033007", "Kidney")
SIDE_CODES = {RIGHT: Code("24028007", "Right"), LEFT: Code("7771000", "Left")}


@dataclass(frozen=True)
class Structure:
    """A class that the networks predict.

    `label` is its value in every label map that we write (0 is background); `color` is RGB 0-255; `opacity` is that
    of its 3D surface; `paired` says that right and left are separate segments; `plural` that every connected
    component is a segment of its own.
    """

    name: str
    label: int
    category: Code
    type: Code
    color: tuple[int, int, int]
    opacity: float
    region: Code | None = None
    paired: bool = False
    plural: bool = False

    @property
    def word(self) -> str:
        """What it is called within a sentence; a structure that is not ours by its name."""
        return _WORDS.get(self.name, self.name)


# Artery and vein hold aorta and inferior vena cava too, hence the generic codes and not those of the renal vessels.
STRUCTURES: tuple[Structure, ...] = (
    Structure("kidney", 1, ANATOMICAL_STRUCTURE, KIDNEY, (176, 100, 96), 0.35, paired=True),
    Structure("tumor", 2, ALTERED_STRUCTURE, Code("108369006", "Neoplasm"), (96, 236, 140), 0.9, KIDNEY, plural=True),
    Structure("artery", 3, TISSUE, Code("51114001", "Artery"), (210, 20, 10), 1.0),
    Structure("vein", 4, TISSUE, Code("29092000", "Vein"), (10, 85, 170), 1.0),
    Structure("ureter", 5, ANATOMICAL_STRUCTURE, Code("87953007", "Ureter"), (246, 226, 60), 1.0, paired=True),
    Structure("cyst", 6, ALTERED_STRUCTURE, Code("367643001", "Cyst"), (172, 186, 252), 0.6, KIDNEY),
)
NUM_CLASSES = len(STRUCTURES) + 1


@dataclass(frozen=True)
class Segment:
    """One editable object: a structure, on one side where it is paired.

    `value` is its voxel value in a `LabelMap` and in a .seg.nrrd file. Right-sided and unpaired segments keep their
    structure's label; left-sided and further ones take the values after those, as one voxel layer holds them all.
    """

    id: str
    name: str
    value: int
    structure: Structure
    side: str | None = None

    @property
    def side_code(self) -> Code | None:
        """The laterality code (DICOM CID 244), or None for an unpaired segment."""
        return SIDE_CODES.get(self.side) if self.side else None


_FIRST_LEFT_VALUE = NUM_CLASSES
_FIRST_FURTHER_VALUE = _FIRST_LEFT_VALUE + sum(s.paired for s in STRUCTURES)


def structure(name: str) -> Structure:
    """The structure called `name`. Raises KeyError if there is none."""
    return {s.name: s for s in STRUCTURES}[name]


def labels_of(*names: str) -> tuple[int, ...]:
    """The labels of the structures with these names."""
    return tuple(structure(name).label for name in names)


# Names and labels of structures that are looked at together; the organ is a kidney with what grows in it.
LESIONS = ("tumor", "cyst")
VESSELS = ("artery", "vein")
TUBES = (*VESSELS, "ureter")
ORGAN = ("kidney", *LESIONS)
LESION_LABELS, VESSEL_LABELS, TUBE_LABELS, ORGAN_LABELS = (
    labels_of(*some) for some in (LESIONS, VESSELS, TUBES, ORGAN)
)


def _segments_of(entry: Structure) -> list[Segment]:
    if not entry.paired:
        return [Segment(entry.name, entry.name.capitalize(), entry.label, entry)]
    paired = [s for s in STRUCTURES if s.paired]
    left_value = _FIRST_LEFT_VALUE + paired.index(entry)
    return [
        Segment(f"{entry.name}_{RIGHT}", f"Right {entry.name}", entry.label, entry, RIGHT),
        Segment(f"{entry.name}_{LEFT}", f"Left {entry.name}", left_value, entry, LEFT),
    ]


SEGMENTS: tuple[Segment, ...] = tuple(segment for entry in STRUCTURES for segment in _segments_of(entry))


def segment(id: str) -> Segment:
    """The segment with this id, for example `kidney_left`. Raises KeyError if there is none."""
    return {s.id: s for s in SEGMENTS}[id]


def further_segment(name: str, number: int, offset: int) -> Segment:
    """The `number`-th (2, 3, ...) segment of a plural structure, such as `tumor_2`.

    `offset` counts all further segments of one label map from 0, so that each has a voxel value of its own.
    """
    first = segment(name)
    return replace(first, id=f"{name}_{number}", name=f"{first.name} {number}", value=_FIRST_FURTHER_VALUE + offset)
