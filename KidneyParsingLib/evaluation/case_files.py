"""Results and references from files: which belong together, and both as structure labels on one grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..anatomy import structure
from ..errors import InputError
from ..volumes.geometry import spacing_of
from ..volumes.image_files import IMAGE_SUFFIXES
from ..volumes.writing import read_structure_labels
from .challenges import LABEL_CONVENTIONS

_SUFFIXES = (".seg.nrrd", *IMAGE_SUFFIXES)
_SAME_GRID_MM = 0.01


@dataclass(frozen=True)
class CaseFiles:
    """A result, its reference, and the name of both without the suffix."""

    name: str
    result: Path
    reference: Path


@dataclass(frozen=True)
class Case:
    """Structure labels (z, y, x) of result and reference on one grid, and its spacing in that order, mm."""

    predicted: np.ndarray
    truth: np.ndarray
    spacing: tuple[float, ...]


def case_files(result: Path, reference: Path) -> list[CaseFiles]:
    """The two files as one case, or of two folders all files of equal name (the suffix may differ), sorted by name.

    Raises InputError if only one is a folder, a file in either folder has no partner, or two files share a name.
    """
    if not (result.is_dir() or reference.is_dir()):
        return [CaseFiles(_stem(result), result, reference)]
    for folder, other in ((result, reference), (reference, result)):
        if not folder.is_dir():
            raise InputError(f"{other} is a folder and {folder} is not; give two files or two folders.")
    results, references = _files_by_name(result), _files_by_name(reference)
    _check_partners(references, results, result)
    _check_partners(results, references, reference)
    if not results:
        raise InputError(f"There are no label files in {result}; give the folder that holds them.")
    return [CaseFiles(name, results[name], references[name]) for name in sorted(results)]


def read_case(files: CaseFiles, ignore: int | None = None, convention: str | None = None) -> Case:
    """Both files as structure labels; voxels with the reference's label `ignore` are background in both.

    `convention` is a key of `challenges.LABEL_CONVENTIONS` that says what the reference's labels mean (default: ours).
    Raises InputError if a file cannot be read or the grids differ.
    """
    (predicted, grid), (truth, other) = map(read_structure_labels, (files.result, files.reference))
    if predicted.shape != truth.shape or abs(grid - other).max() > _SAME_GRID_MM:
        raise InputError(f"{files.result} and {files.reference} are on different grids; give labels of one CT.")
    counts = np.ones(truth.shape, bool) if ignore is None else truth != ignore
    truth = truth if convention is None else _lookup(convention)[truth]
    spacing = tuple(float(mm) for mm in spacing_of(other)[::-1])
    return Case(predicted * counts, truth * counts, spacing)


def _lookup(convention: str) -> np.ndarray:
    """Structure labels by the values of a challenge's files."""
    labels = np.zeros(256, np.uint8)
    for value, name in LABEL_CONVENTIONS[convention].items():
        labels[value] = structure(name).label
    return labels


def _stem(path: Path) -> str:
    suffix = next((suffix for suffix in _SUFFIXES if path.name.lower().endswith(suffix)), path.suffix)
    return path.name[: len(path.name) - len(suffix)]


def _files_by_name(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.name.lower().endswith(_SUFFIXES):
            continue
        if _stem(path) in files:
            raise InputError(f"{path} and {files[_stem(path)].name} are labels of one case; keep one of the two.")
        files[_stem(path)] = path
    return files


def _check_partners(files: dict[str, Path], others: dict[str, Path], folder: Path) -> None:
    for name, path in files.items():
        if name not in others:
            raise InputError(f"There is no file in {folder} for {path}; name both files of a case {name}.")
