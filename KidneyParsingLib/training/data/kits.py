"""KiTS19, KiTS21 and KiTS23: a folder a case, as the challenges' repositories lay them out (https://kits-challenge.org)."""

from __future__ import annotations

from pathlib import Path

from .case import Case, Layout, labels_of

_IMAGE = "imaging.nii.gz"
_FILES = {"KiTS19": "segmentation.nii.gz", "KiTS21": "aggregated_MAJ_seg.nii.gz", "KiTS23": "segmentation.nii.gz"}
KITS = tuple(Layout(name, f"case_XXXXX/{_IMAGE} and case_XXXXX/{labels}") for name, labels in _FILES.items())
# KiTS19 counts cysts to the kidney.
_STRUCTURE_OF = {"KiTS19": labels_of("kidney", "tumor")}
_WITH_CYSTS = labels_of("kidney", "tumor", "cyst")
# KiTS19's cases from here on are its test set, published without labels.
_FIRST_TEST_CASE = 210


def kits_cases(folder: Path, layout: Layout) -> list[Case]:
    """The labelled cases in a folder, or in its folder `data`, `dataset` or `kits21/data`, as cloned repositories have
    it.

    KiTS19's test cases (210 and up) are left out where they have no labels and other cases do. Raises InputError that
    names a missing file.
    """
    folders = _case_folders(folder)
    labels = _FILES[layout.name]
    labelled = [f for f in folders if (f / labels).is_file()]
    chosen = [f for f in folders if f in labelled or not (labelled and _is_test_case(f, layout))]
    for path in (f / name for f in chosen or [folder / "case_00000"] for name in (_IMAGE, labels)):
        if not path.is_file():
            raise layout.missing(path)
    structure_of = _STRUCTURE_OF.get(layout.name, _WITH_CYSTS)
    return [Case(f.name, f / _IMAGE, f / labels, structure_of) for f in chosen]


def _case_folders(folder: Path) -> list[Path]:
    for root in (folder, folder / "data", folder / "dataset", folder / "kits21" / "data"):
        if found := sorted(path for path in root.glob("case_*") if path.is_dir()):
            return found
    return []


def _is_test_case(folder: Path, layout: Layout) -> bool:
    number = folder.name.removeprefix("case_")
    return layout.name == "KiTS19" and number.isdigit() and int(number) >= _FIRST_TEST_CASE
