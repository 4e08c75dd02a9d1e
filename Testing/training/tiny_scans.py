"""Tiny labelled CT files, and folders of them in the layout of every data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

SHAPE = (24, 26, 28)
SPACING_MM = 2.0
# A cube of 6 voxels a side of every label value, first corners (z, y, x).
CORNERS = {1: (2, 2, 2), 2: (2, 2, 18), 3: (2, 16, 2), 4: (14, 2, 2), 5: (14, 16, 2), 6: (14, 16, 18)}
SIDE = 6


def tiny_hu(seed: int = 0) -> np.ndarray:
    """int16 HU: fat of -100 with noise, a band of soft tissue at 50, air at the first columns."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(-100, 15, SHAPE)
    hu[:, 10:20] = rng.normal(50, 15, (SHAPE[0], 10, SHAPE[2]))
    hu[:, :, :2] = -1000
    return hu.round().astype(np.int16)


def tiny_labels(values: tuple[int, ...] = (1, 2, 3, 4, 5, 6)) -> np.ndarray:
    """uint8 labels: the cube of each value in `CORNERS`."""
    labels = np.zeros(SHAPE, np.uint8)
    for value in values:
        labels[tuple(slice(c, c + SIDE) for c in CORNERS[value])] = value
    return labels


def image_of(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([SPACING_MM] * 3)
    image.SetOrigin((-20.0, 30.0, -400.0))
    return image


def write(array: np.ndarray, path: Path) -> Path:
    """Writes an array as an image, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image_of(array), str(path))
    return path


def kipa(folder: Path, stored: int = 1024) -> Path:
    """Two cases; values are HU + `stored`."""
    for name in ("case_1", "case_2"):
        write(tiny_hu() + np.int16(stored), folder / "train" / "image" / f"{name}.nii.gz")
        write(tiny_labels((1, 2, 3, 4)), folder / "train" / "label" / f"{name}.nii.gz")
    return folder


def kits(folder: Path, labels_name: str, values: tuple[int, ...], numbers: tuple[int, ...] = (0, 1)) -> Path:
    """A case folder for every number."""
    for number in numbers:
        write(tiny_hu(), folder / f"case_{number:05d}" / "imaging.nii.gz")
        write(tiny_labels(values), folder / f"case_{number:05d}" / labels_name)
    return folder


def nnunet(folder: Path, labels: dict, values: tuple[int, ...] = (1, 2, 3), **changes: object) -> Path:
    """One case, `pat_7`, and its dataset.json."""
    write(tiny_hu(), folder / "imagesTr" / "pat_7_0000.nii.gz")
    write(tiny_labels(values), folder / "labelsTr" / "pat_7.nii.gz")
    description = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 1, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(description | changes))
    return folder


def ours(folder: Path) -> Path:
    """One made scan."""
    write(tiny_hu(), folder / "imagesTr" / "made_00001_0000.nii.gz")
    write(tiny_labels(), folder / "labelsTr" / "made_00001.nii.gz")
    return folder
