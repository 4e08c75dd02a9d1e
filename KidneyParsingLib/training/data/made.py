"""Our own layout: made scans as `kidneyparsing synthesize` writes them, with labels 1..6 of `anatomy.STRUCTURES`; real
ones may have the neighbours' labels too (`configs.NEIGHBOUR_LABELS`), 255 where labels are not to be trusted, and 254
where all that is known is that there is no lesion."""

from __future__ import annotations

import json
from pathlib import Path

from ...anatomy import STRUCTURES
from ...networks.configs import MAYBE_NEIGHBOUR, NEIGHBOUR_LABELS
from ...volumes.writing import check_writable, replacing
from .case import UNKNOWN, Case, Layout, labels_of, paired

OURS = Layout("ours", "imagesTr/*_0000.nii.gz and labelsTr/*.nii.gz")
_STRUCTURE_OF = labels_of(*(s.name for s in STRUCTURES))
_STRUCTURE_OF |= {label: label for label in (*NEIGHBOUR_LABELS.values(), MAYBE_NEIGHBOUR, *UNKNOWN)}
_IMAGE_END = "_0000.nii.gz"


def made_cases(folder: Path) -> list[Case]:
    """The scans in a folder. Raises InputError that names a missing file."""
    cases = paired(folder / "imagesTr", folder / "labelsTr", OURS, _IMAGE_END)
    return [Case(name, image, labels, _STRUCTURE_OF) for name, image, labels in cases]


def write_dataset_json(folder: Path) -> Path:
    """Writes nnU-Net v2's dataset.json for the scans in a folder, whole or not at all, so that nnU-Net can train on
    them too. Raises InputError if it cannot be written."""
    description = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, **{s.name: s.label for s in STRUCTURES}},
        "numTraining": len(list((folder / "imagesTr").glob(f"*{_IMAGE_END}"))),
        "file_ending": ".nii.gz",
    }
    path = folder / "dataset.json"
    check_writable(path, (".json",))
    with replacing(path, (".json",)) as unfinished:
        unfinished.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    return path
