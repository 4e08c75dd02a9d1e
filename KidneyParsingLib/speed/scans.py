"""The CTs that are timed: the sample CTA on the grid of a usual scan, and longer, shorter, thicker and thinner ones."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..volumes.geometry import affine_of_image, image_from_array
from ..volumes.reading import read_ct
from ..volumes.volume import Volume
from ..volumes.writing import write_volume

SAMPLE = Path(__file__).resolve().parents[2] / "Resources" / "sample_cta.nii.gz"
_AIR_HU = -1024


@dataclass(frozen=True)
class ScanGrid:
    """`size` voxels of `spacing` mm, both (x, y, z)."""

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]


USUAL = ScanGrid((512, 512, 256), (0.78, 0.78, 1.0))
QUICK = ScanGrid((160, 160, 96), (2.5, 2.5, 2.66))


def sample_ct() -> Volume:
    """The sample CTA of the repository. Raises InputError where only the package is installed."""
    if not SAMPLE.is_file():
        raise InputError("The sample CTA is only in the repository, not in the installed package; give --ct FILE.")
    return read_ct(SAMPLE)


def on_scan_grid(volume: Volume, grid: ScanGrid, mirrored: bool = False) -> Volume:
    """A CT linearly interpolated on a grid around its centre, int16; -1024 HU beyond it.

    With `mirrored` it is first continued up and down by its mirror images, so that a long scan holds no long air.
    """
    image = image_from_array(volume.array, volume.affine)
    if mirrored:
        image = sitk.MirrorPad(image, *_mirror_padding(image, grid))
    image = sitk.Resample(image, _reference(image, grid), sitk.Transform(), sitk.sitkLinear, _AIR_HU, sitk.sitkInt16)
    return Volume(sitk.GetArrayFromImage(image), affine_of_image(image))


def write_scan(path: Path, grid: ScanGrid, mirrored: bool = False, ct: Path | None = None) -> None:
    """Writes the sample CTA on a grid, or `ct` as it is, as .nii.gz."""
    write_volume(on_scan_grid(sample_ct(), grid, mirrored) if ct is None else read_ct(ct), path)


def _mirror_padding(image: sitk.Image, grid: ScanGrid) -> tuple[list[int], list[int]]:
    missing = grid.size[2] * grid.spacing[2] / image.GetSpacing()[2] - image.GetSize()[2]
    each_side = max(0, int(np.ceil(missing / 2)))
    return [0, 0, each_side], [0, 0, each_side]


def _reference(image: sitk.Image, grid: ScanGrid) -> sitk.Image:
    """An image on the grid with the axes and the centre of another."""
    center = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    reference = sitk.Image(list(grid.size), sitk.sitkInt16)
    reference.SetSpacing(grid.spacing)
    reference.SetDirection(image.GetDirection())
    middle = reference.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in grid.size])
    reference.SetOrigin(np.subtract(center, middle).tolist())
    return reference


def main(path: str, slices: str, slice_mm: str, *flags: str) -> None:
    """Write a scan for the scaling curves and print its length as a JSON line."""
    grid = QUICK if "quick" in flags else USUAL
    count, mm = int(slices), float(slice_mm)
    write_scan(Path(path), ScanGrid((*grid.size[:2], count), (*grid.spacing[:2], mm)), mirrored=True)
    sys.stdout.write(json.dumps({"length_mm": count * mm}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
