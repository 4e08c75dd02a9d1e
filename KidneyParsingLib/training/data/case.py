"""A labelled scan of a data set, and how data sets say what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...anatomy import structure
from ...errors import InputError

# A label beside the structures' (and the neighbours', `configs.NEIGHBOUR_LABELS`): nobody knows what is there, and
# no loss looks at it.
IGNORED = 255
# The same, but it is known to be neither tumor nor cyst: a renal sinus without a mask of its own, in a patient whose
# lesions are all labelled. Losses of shares learn that (`losses.weighted`); for others it is unknown.
NO_LESION = 254
# Labels that say nothing about a structure.
UNKNOWN = (IGNORED, NO_LESION)


@dataclass(frozen=True)
class Case:
    """A CT and its labels as a data set stores them.

    `structure_of` maps every label value that the data set uses to our structure label (0: background) or to one of
    `UNKNOWN`.
    With `may_be_shifted` the stored values may be HU + 1024, which the image itself must tell. `notes` are sentences
    about the data set for whoever trains.
    """

    name: str
    image: Path
    labels: Path
    structure_of: dict[int, int]
    may_be_shifted: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """A data set's way to lay out its files: its `name` and the `files` that it must have, in words."""

    name: str
    files: str

    def missing(self, path: Path) -> InputError:
        """The error for a file that the layout needs and the folder has not."""
        return InputError(f"There is no {path}; the layout {self.name} needs {self.files}.")


def labels_of(*names: str) -> dict[int, int]:
    """Our structure labels of the data set's values 1, 2, ..., given as structure names."""
    return {value: structure(name).label for value, name in enumerate(names, 1)}


def paired(
    images: Path, labels: Path, layout: Layout, image_end: str = ".nii.gz", label_end: str = ".nii.gz"
) -> list[tuple[str, Path, Path]]:
    """Name, image and labels of every case of two folders whose file names are the case's name and an ending.

    Raises InputError that names the first file that is missing.
    """
    names = sorted({*_stems(images, image_end), *_stems(labels, label_end)})
    if not names:
        raise layout.missing(images / f"*{image_end}")
    cases = [(name, images / (name + image_end), labels / (name + label_end)) for name in names]
    for path in (path for _, *paths in cases for path in paths):
        if not path.is_file():
            raise layout.missing(path)
    return cases


def _stems(folder: Path, end: str) -> list[str]:
    # Hidden files: macOS leaves "._case.nii.gz" beside "case.nii.gz".
    return [p.name[: -len(end)] for p in folder.glob(f"*{end}") if not p.name.startswith(".")]
