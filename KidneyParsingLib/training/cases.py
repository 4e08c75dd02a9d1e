"""Scans of a data set on a network's grid, stored once so that training reads patches straight from the disk."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ..anatomy import NUM_CLASSES, TUBE_LABELS
from ..errors import InputError
from ..inference.network_input import network_grid, network_input
from ..networks.configs import NetworkConfig
from ..volumes.reading import AIR_HU, read_ct
from ..volumes.volume import Volume
from ..volumes.writing import read_structure_labels
from .data.case import Case
from .data.kipa import stored_offset
from .data.label_grid import label_counts, labels_on_grid
from .data.points import candidate_points

_VERSION = 1
_FILES = ("hu.npy", "labels.npy", "points.npz")
_ENTRY = "case.json"
_SAME_GRID_VOXELS = 0.1


@dataclass(frozen=True)
class StoredCase:
    """A scan on a network's grid in a folder of its own.

    `spacing` (z, y, x) in mm; `voxels` is how many voxels every structure label 0..6 has. The arrays are opened anew at
    every use, so that a data set of hundreds of scans holds no open files and is cheap to send to worker processes.
    """

    name: str
    folder: Path
    spacing: tuple[float, float, float]
    voxels: tuple[int, ...]

    @property
    def hu(self) -> np.ndarray:
        """int16 HU (z, y, x), a read-only map of the file."""
        return np.load(self.folder / "hu.npy", mmap_mode="r", allow_pickle=False)

    @property
    def labels(self) -> np.ndarray:
        """uint8 structure labels 0..6, neighbours' or of `case.UNKNOWN` (z, y, x), a read-only map of the file."""
        return np.load(self.folder / "labels.npy", mmap_mode="r", allow_pickle=False)

    def points(self, label: int) -> np.ndarray:
        """Positions (n, 3) in voxels of up to 5000 voxels of a structure label, drawn evenly."""
        return self._points(f"points_{label}")

    def centerline(self, label: int) -> np.ndarray:
        """Positions (n, 3) in voxels of up to 5000 voxels of the centreline of a tube (artery, vein, ureter); without
        scikit-image, and for other structures, those of `points`."""
        return self._points(f"centerline_{label}" if label in TUBE_LABELS else f"points_{label}")

    def _points(self, key: str) -> np.ndarray:
        with np.load(self.folder / "points.npz", allow_pickle=False) as file:
            return file[key]


def stored_cases(
    cases: Sequence[Case], config: NetworkConfig, folder: str | Path, show: Callable[[str], None] = lambda text: None
) -> list[StoredCase]:
    """Every case on the config's grid, kept in `folder`; what it holds already is not made again.

    `show` is told the notes of the data set and each scan that is being stored. Raises InputError if a scan or its
    labels cannot be used or the folder cannot be written.
    """
    for note in dict.fromkeys(note for case in cases for note in case.notes):
        show(note)
    result = []
    for number, case in enumerate(cases, 1):
        stored = _opened(case, config, Path(folder))
        if stored is None:
            show(f"Storing scan {number} of {len(cases)}: {case.name}")
        result.append(stored or store_case(case, config, folder))
    return result


def store_case(case: Case, config: NetworkConfig, folder: str | Path) -> StoredCase:
    """Resamples one case to the config's grid over the whole scan, as inference does, and stores it; an old copy is
    replaced. A copy counts only once all of it is written.

    HU are rounded to whole numbers; labels: see `label_grid`. Raises InputError as `stored_cases`.
    """
    hu, labels, spacing = _on_network_grid(case, config)
    voxels = tuple(int(n) for n in label_counts(labels)[:NUM_CLASSES])
    stored = StoredCase(case.name, _place(case, config, Path(folder)), spacing, voxels)
    try:
        stored.folder.mkdir(parents=True, exist_ok=True)
        (stored.folder / _ENTRY).unlink(missing_ok=True)
        _write(stored.folder / "hu.npy", lambda file: np.save(file, hu, allow_pickle=False))
        _write(stored.folder / "labels.npy", lambda file: np.save(file, labels, allow_pickle=False))
        _write(stored.folder / "points.npz", lambda file: np.savez(file, **candidate_points(labels)))
        entry = json.dumps(_entry(case, stored)).encode()
        _write(stored.folder / _ENTRY, lambda file: file.write(entry))
    except OSError as error:
        reason = error.strerror or "the disk may be full"
        raise InputError(f"{folder} cannot be written ({reason}); choose another folder.") from error
    return stored


def _on_network_grid(case: Case, config: NetworkConfig) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    """int16 HU and uint8 structure labels (z, y, x) on the network's grid, and its spacing."""
    volume = _read_volume(case)
    labels = _read_labels(case, volume)
    grid = network_grid(volume, config)
    hu = np.rint(network_input(volume, grid, config)).astype(np.int16)
    return hu, labels_on_grid(labels, volume.affine, grid), grid.spacing


def _read_volume(case: Case) -> Volume:
    volume = read_ct(case.image)
    if not case.may_be_shifted:
        return volume
    offset = stored_offset(volume.array, str(case.image))
    return Volume(np.maximum(volume.array - np.int16(offset), np.int16(AIR_HU)), volume.affine, volume.notes)


def _read_labels(case: Case, volume: Volume) -> np.ndarray:
    """uint8 structure labels on the CT's grid."""
    labels, affine = read_structure_labels(case.labels)
    if labels.shape != volume.array.shape or not _is_same_grid(affine, volume):
        raise InputError(f"{case.labels} and {case.image} are on different grids; give labels drawn on this CT.")
    lookup = np.zeros(256, np.uint8)
    for value, label in case.structure_of.items():
        lookup[value] = label
    unknown = [v for v in np.flatnonzero(label_counts(labels)) if v and int(v) not in case.structure_of]
    if unknown:
        raise InputError(
            f"{case.labels} holds the label {unknown[0]}, which its layout has not; choose another layout."
        )
    return lookup[labels]


def _is_same_grid(affine: np.ndarray, volume: Volume) -> bool:
    """Whether corner voxels lie at the same places, to a tenth of a voxel."""
    corners = np.array([[0, 0, 0, 1], [*(n - 1 for n in volume.array.shape[::-1]), 1]], float).T
    return bool(np.abs(np.linalg.inv(volume.affine) @ (affine - volume.affine) @ corners).max() < _SAME_GRID_VOXELS)


def _write(path: Path, write: Callable) -> None:
    """Writes a file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with unfinished.open("wb") as file:
            write(file)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _grid_key(config: NetworkConfig) -> str:
    """What of the config the stored scan depends on: networks on the same grid share their scans."""
    pairs = zip(config.spacing_mm, config.resize, strict=True)
    sizes = [f"{count}" if count else f"{spacing:g}mm" for spacing, count in pairs]
    return "-".join([*sizes, *["median"] * config.median])


def _place(case: Case, config: NetworkConfig, folder: Path) -> Path:
    """The folder of one case on one grid; data sets whose cases have the same names do not meet in it."""
    source = json.dumps([str(case.image.resolve()), str(case.labels.resolve()), sorted(case.structure_of.items())])
    return folder / _grid_key(config) / f"{case.name}-{sha256(source.encode()).hexdigest()[:8]}"


def _entry(case: Case, stored: StoredCase) -> dict:
    """What is known of a stored case: by it a copy that is out of date or not whole is seen."""
    sources = [path.stat() for path in (case.image, case.labels)]
    return {
        "version": _VERSION,
        "sources": [[s.st_size, s.st_mtime_ns] for s in sources],
        "spacing": list(stored.spacing),
        "voxels": list(stored.voxels),
        "bytes": [(stored.folder / name).stat().st_size for name in _FILES],
    }


def _opened(case: Case, config: NetworkConfig, folder: Path) -> StoredCase | None:
    """The stored case, or None if there is none, or one that is damaged or out of date."""
    place = _place(case, config, folder)
    try:
        entry = json.loads((place / _ENTRY).read_text(encoding="utf-8"))
        stored = StoredCase(case.name, place, tuple(entry["spacing"]), tuple(entry["voxels"]))
        if entry != _entry(case, stored) or stored.hu.shape != stored.labels.shape:
            return None
        for label in range(1, NUM_CLASSES):
            stored.points(label), stored.centerline(label)
        return stored
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
        return None
