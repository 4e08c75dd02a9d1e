"""What a DICOM Segmentation says of each segment: number, codes, side, colour, and what made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from .. import __version__
from ..anatomy import Code, Segment

if TYPE_CHECKING:
    import highdicom

PRODUCT = "KidneyParsing"


def segment_description(
    segment: Segment, number: int, model: str | None = None, reviewed: bool = False
) -> highdicom.seg.SegmentDescription:
    """The item of the Segment Sequence for `segment`, as number 1, 2, ...

    Category, type and region are the codes of `anatomy`, the side is the type's modifier. Each tumor has a tracking
    id of its own. `model` is the system that segmented; `reviewed` says that a person may have changed the voxels.
    """
    import highdicom

    structure = segment.structure
    kinds = highdicom.seg.SegmentAlgorithmTypeValues
    tracking = {}
    if structure.plural:
        tracking = {"tracking_id": tracking_id(segment), "tracking_uid": generate_uid(prefix=None)}
    item = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.name[:64],
        segmented_property_category=_concept(structure.category),
        segmented_property_type=_concept(structure.type),
        algorithm_type=kinds.SEMIAUTOMATIC if reviewed else kinds.AUTOMATIC,
        algorithm_identification=_algorithm(model),
        anatomic_regions=[_concept(structure.region)] if structure.region else None,
        display_color=highdicom.color.CIELabColor.from_rgb(*structure.color),
        **tracking,
    )
    if segment.side_code:
        kind = item.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = Sequence([_concept(segment.side_code)])
    return item


def tracking_id(segment: Segment) -> str:
    """`tumor_1`, `tumor_2`, ...: the segment's id with the first one numbered too."""
    return segment.id if segment.id != segment.structure.name else f"{segment.id}_1"


def _algorithm(model: str | None) -> highdicom.AlgorithmIdentificationSequence:
    import highdicom

    family = _concept(Code("123110", "Artificial Intelligence", "DCM"))
    parameters = {"model": model} if model else None
    return highdicom.AlgorithmIdentificationSequence(PRODUCT, family, __version__, parameters=parameters)


def _concept(code: Code) -> highdicom.sr.CodedConcept:
    import highdicom

    return highdicom.sr.CodedConcept(code.value, code.scheme, code.meaning)
