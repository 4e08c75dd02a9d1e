"""The strings that Slicer's terminologies parse."""

from __future__ import annotations

from KidneyParsingLib.anatomy import SEGMENTS
from KidneyParsingLib.volumes.terminology import terminology_entry


def test_terminology_of_a_left_kidney_and_of_a_tumor() -> None:
    left, tumor = (terminology_entry(SEGMENTS[index]).split("~") for index in (1, 2))
    assert left[1:4] == ["SCT^123037004^Anatomical Structure", "SCT^64033007^Kidney", "SCT^7771000^Left"]
    assert tumor[2:] == [
        "SCT^108369006^Neoplasm", "^^", "Anatomic codes - DICOM master list", "SCT^64033007^Kidney", "^^"
    ]  # fmt: skip
