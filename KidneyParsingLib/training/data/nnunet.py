"""nnU-Net v2's raw layout: any data set whose labels are named in a dataset.json."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ...anatomy import structure
from ...errors import InputError
from ...volumes.image_files import IMAGE_SUFFIXES
from .case import Case, Layout, paired

NNUNET = Layout("nnU-Net", "dataset.json, imagesTr/*_0000.nii.gz and labelsTr/*.nii.gz")
# Names of labels, in lower case, without the words that say no more than where.
_NAMES = {
    "kidney": ("kidney", "kidneys", "parenchyma", "cortex", "medulla"),
    "tumor": ("tumor", "tumors", "tumour", "tumours", "lesion", "lesions", "mass", "neoplasm", "cancer", "carcinoma",
              "cell carcinoma", "rcc", "ccrcc"),
    "artery": ("artery", "arteries", "aorta", "abdominal aorta"),
    "vein": ("vein", "veins", "ivc", "vena cava", "inferior vena cava", "postcava"),
    "ureter": ("ureter", "ureters", "collecting system", "renal pelvis", "calyces", "pelvis and ureter"),
    "cyst": ("cyst", "cysts"),
}  # fmt: skip
_STRUCTURE_NAMED = {name: entry for entry, names in _NAMES.items() for name in names}
_SIDES = {"left", "right", "l", "r"}
_KIDNEY_WORDS = {"kidney", "kidneys", "renal"}


def nnunet_cases(folder: Path) -> list[Case]:
    """The training cases in a raw data-set folder.

    Labels are known by their names (`structure_named`); one that is not ours is background and noted. Of several
    channels the one called CT is taken. Raises InputError if dataset.json is missing or broken, names no label that we
    know, or a file is missing.
    """
    path = folder / "dataset.json"
    description = _description(path)
    structure_of, unknown = _structures(description, path)
    ending = _ending(description, path)
    end = f"_{_ct_channel(description, path):04d}{ending}"
    notes = tuple(f"The label {name!r} of {folder.name} is taken as background." for name in unknown)
    cases = paired(folder / "imagesTr", folder / "labelsTr", NNUNET, end, ending)
    return [Case(name, image, labels, structure_of, notes=notes) for name, image, labels in cases]


def structure_named(name: str) -> str | None:
    """The structure that a label's name means ('left kidney', 'Renal_Tumour', 'aorta', 'IVC'); None if none of ours.

    Words that say the side are left out, and "renal" and "kidney" before another word; what is left must be a known
    name, so that "liver tumor" and "portal vein" are none.
    """
    words = [word for word in re.split(r"[\W_]+", name.lower()) if word and word not in _SIDES]
    bare = [word for word in words if word not in _KIDNEY_WORDS]
    return _STRUCTURE_NAMED.get(" ".join(words)) or _STRUCTURE_NAMED.get(" ".join(bare))


def _description(path: Path) -> dict:
    if not path.is_file():
        raise NNUNET.missing(path)
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise InputError(f"{path} is damaged or no JSON; write it again as nnU-Net v2 does.") from None
    labels = description.get("labels") if isinstance(description, dict) else None
    if not isinstance(labels, dict) or not all(map(_is_label, labels.values())):
        raise InputError(f'{path} has no "labels" from names to numbers, as nnU-Net v2 has them; convert it to v2.')
    return description


def _is_label(value: object) -> bool:
    values = value if isinstance(value, list) and value else [value]
    return all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= 255 for v in values)


def _structures(description: dict, path: Path) -> tuple[dict[int, int], list[str]]:
    """Our label of every value, and the names that we do not know. Regions (lists of values) go from large to small, so
    that a value has the name of its smallest region."""
    regions = [(name, v if isinstance(v, list) else [v]) for name, v in description["labels"].items()]
    structure_of = {value: 0 for _, values in regions for value in values}
    for name, values in sorted(regions, key=lambda region: -len(region[1])):
        if found := structure_named(name):
            structure_of |= dict.fromkeys(values, structure(found).label)
    if not any(structure_of.values()):
        known = ", ".join(_NAMES)
        raise InputError(f"{path} names no label that we know ({known}); rename its labels.")
    return structure_of, [n for n, _ in regions if n.lower() != "background" and not structure_named(n)]


def _ending(description: dict, path: Path) -> str:
    ending = description.get("file_ending")
    if ending not in IMAGE_SUFFIXES:
        raise InputError(f'{path} has no "file_ending" that we read; use one of {", ".join(IMAGE_SUFFIXES)}.')
    return ending


def _ct_channel(description: dict, path: Path) -> int:
    channels = description.get("channel_names")
    names = {k: str(v).lower() for k, v in channels.items() if k.isdigit()} if isinstance(channels, dict) else {}
    found = list(names) if len(names) == 1 else [k for k, name in names.items() if name == "ct"]
    if not found:
        raise InputError(f'{path} has no channel called CT in its "channel_names"; name the one that is CT.')
    return int(found[0])
