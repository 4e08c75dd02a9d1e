"""Make the files that Slicer's Sample Data needs beside the sample CTA: `python Utilities/make_sample_data.py`.

To run again whenever Resources/sample_cta.nii.gz or its truth changes. Writes, in Resources,
    sample_cta_truth.seg.nrrd   the truth as segments with names, sides, colours and codes
    sample_data.json            what Sample Data registers, with checksums
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from KidneyParsingLib.anatomy import structure
from KidneyParsingLib.inference.locate import Midline
from KidneyParsingLib.inference.sides import to_segments
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import LabelMap, Volume
from KidneyParsingLib.volumes.writing import read_structure_labels, write_label_map

RESOURCES = Path(__file__).resolve().parents[1] / "Resources"
CTA = "sample_cta.nii.gz"
LABELS = "sample_cta_truth.nii.gz"
SEGMENTS = "sample_cta_truth.seg.nrrd"
# Slicer's node name and reader of each file.
FILES = ((CTA, "Kidney CTA", "VolumeFile"), (SEGMENTS, "Kidney CTA truth", "SegmentationFile"))


def true_segments(volume: Volume, labels: np.ndarray) -> LabelMap:
    """Structure labels (z, y, x) on the CTA's grid as segments, with the midline halfway between both kidneys' outer
    borders."""
    indices = np.argwhere(labels == structure("kidney").label)[:, ::-1]
    x = indices @ volume.affine[0, :3] + volume.affine[0, 3]
    midline = Midline(np.zeros(1), np.array([(x.min() + x.max()) / 2]))
    return to_segments(labels, volume, midline)


def sample_list() -> dict[str, list[dict[str, str]]]:
    """What sample_data.json says."""
    return {"files": [_entry(*file) for file in FILES]}


def _entry(name: str, node_name: str, file_type: str) -> dict[str, str]:
    digest = hashlib.sha256((RESOURCES / name).read_bytes()).hexdigest()
    return {"name": name, "nodeName": node_name, "fileType": file_type, "sha256": digest}


if __name__ == "__main__":
    cta = read_ct(RESOURCES / CTA)
    write_label_map(true_segments(cta, read_structure_labels(RESOURCES / LABELS)[0]), RESOURCES / SEGMENTS)
    text = json.dumps(sample_list(), indent=2) + "\n"
    (RESOURCES / "sample_data.json").write_text(text, encoding="utf-8", newline="\n")
