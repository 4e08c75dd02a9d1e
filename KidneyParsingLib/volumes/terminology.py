"""Segments in the words of Slicer's terminologies, so that they keep their codes into DICOM SEG."""

from __future__ import annotations

from ..anatomy import Code, Segment

TERMINOLOGY_CONTEXT = "Segmentation category and type - DICOM master list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"


def terminology_entry(segment: Segment) -> str:
    """The value of Slicer's segment tag `TerminologyEntry`: seven parts joined by `~`.

    They are context, category, type, type modifier (the side), region context, region and region modifier; every
    code reads `scheme^value^meaning`, and `^^` where there is none.
    """
    structure = segment.structure
    codes = [_code(structure.category), _code(structure.type), _code(segment.side_code)]
    return "~".join([TERMINOLOGY_CONTEXT, *codes, REGION_CONTEXT, _code(structure.region), _code(None)])


def _code(code: Code | None) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}" if code else "^^"
