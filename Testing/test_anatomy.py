"""The table of structures: values, ids and codes that files and other programs rely on."""

from __future__ import annotations

import pytest

from KidneyParsingLib import anatomy


def test_labels_are_those_of_the_published_format() -> None:
    labels = {entry.name: entry.label for entry in anatomy.STRUCTURES}
    assert labels == {"kidney": 1, "tumor": 2, "artery": 3, "vein": 4, "ureter": 5, "cyst": 6}
    assert anatomy.NUM_CLASSES == 7


def test_segments_are_one_per_side_or_structure() -> None:
    ids = ["kidney_right", "kidney_left", "tumor", "artery", "vein", "ureter_right", "ureter_left", "cyst"]
    assert [item.id for item in anatomy.SEGMENTS] == ids


def test_no_two_segments_share_a_value_and_all_fit_a_byte() -> None:
    further = [anatomy.further_segment("tumor", number, number - 2) for number in range(2, 50)]
    values = [item.value for item in (*anatomy.SEGMENTS, *further)]
    assert len(set(values)) == len(values)
    assert min(values) == 1 and max(values) < 256


def test_right_and_unpaired_segments_keep_their_structure_label() -> None:
    for item in anatomy.SEGMENTS:
        assert (item.value == item.structure.label) == (item.side != anatomy.LEFT)


@pytest.mark.parametrize(("side", "value"), [("right", "24028007"), ("left", "7771000")])
def test_sides_carry_their_snomed_code(side: str, value: str) -> None:
    code = anatomy.segment(f"kidney_{side}").side_code
    assert code is not None and (code.value, code.scheme) == (value, "SCT")
    assert anatomy.segment("tumor").side_code is None


def test_further_tumor_is_a_tumor_with_its_own_name() -> None:
    second = anatomy.further_segment("tumor", 2, 0)
    assert (second.id, second.name, second.structure) == ("tumor_2", "Tumor 2", anatomy.structure("tumor"))


def test_colours_differ_and_opacities_are_fractions() -> None:
    assert len({entry.color for entry in anatomy.STRUCTURES}) == len(anatomy.STRUCTURES)
    for entry in anatomy.STRUCTURES:
        assert all(0 <= channel <= 255 for channel in entry.color) and 0 < entry.opacity <= 1


def test_unknown_names_raise_key_error() -> None:
    with pytest.raises(KeyError):
        anatomy.structure("spleen")
    with pytest.raises(KeyError):
        anatomy.segment("kidney")
