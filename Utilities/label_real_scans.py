"""Makes the folder of real scans that training mixes in, from CTs and their reference masks.

    python Utilities/label_real_scans.py REAL_CT_FOLDER OUT

A CT NAME.nii.gz takes part if NAME_ref.nii.gz lies beside it or in Testing/references (1 kidney, 3 artery, 4 vein, 6
cyst, 255 unknown). References show neither ureters nor the vessels beyond some slices; there the voxels around what the
released model finds, the kidneys' sinuses and the great vessels' course become 255, at which no loss looks. With
--no-other-lesions, for CTs without any tumor or cyst that the reference lacks, all that is unknown becomes 254, where
losses look for lesions alone (`data.case.NO_LESION`). Spine, liver and spleen, for the locator's training, are what the
released locator is sure of; where it is not, it will learn nothing (`configs.NEIGHBOUR_LABELS`).
"""

from __future__ import annotations

import argparse
import shutil
from math import ceil
from pathlib import Path

import cc3d
import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from KidneyParsingLib.anatomy import ORGAN_LABELS, VESSEL_LABELS, structure
from KidneyParsingLib.inference.api import segment
from KidneyParsingLib.inference.devices import CPU
from KidneyParsingLib.inference.grid import Grid, interpolated, reference_image
from KidneyParsingLib.inference.locate import probabilities
from KidneyParsingLib.inference.maps import scores_of
from KidneyParsingLib.inference.models import load
from KidneyParsingLib.inference.neighbourhood import distance
from KidneyParsingLib.inference.network_input import network_grid, network_input
from KidneyParsingLib.inference.systems import LOCATOR
from KidneyParsingLib.networks.configs import LOCATOR_CLASSES, MAYBE_NEIGHBOUR, NEIGHBOUR_LABELS
from KidneyParsingLib.training.data.case import IGNORED, NO_LESION
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import Volume

URETER = structure("ureter").label
REFERENCES = Path(__file__).parents[1] / "Testing" / "references"
# Around what the model finds, and around the projected great vessels, voxels.
NEAR, COURSE = 2, 12
# A renal pelvis lies where a kidney is hollow, less wide than twice this.
SINUS_MM = 15.0
# How sure the locator must be of a neighbour; liver, even a fatty one, and spleen are no darker than the second number.
SURE, LEAST_ORGAN_HU = 0.9, 25


def reference_of(image: Path) -> Path | None:
    """The mask of a CT, beside it or among ours."""
    name = image.name.replace(".nii.gz", "_ref.nii.gz")
    return next((folder / name for folder in (image.parent, REFERENCES) if (folder / name).is_file()), None)


def completed(reference: np.ndarray, found: np.ndarray, grid: Grid) -> np.ndarray:
    """The reference (z, y, x) on `grid` with 255 where it is silent on vessels and ureters that may be there.

    `found` holds the structure labels that the model finds.
    """
    labels = reference.copy()
    unknown = ndimage.binary_dilation(found == URETER, iterations=NEAR) | _sinus(np.isin(reference, ORGAN_LABELS), grid)
    for vessel in VESSEL_LABELS:
        shown = reference == vessel
        silent = ~_between_first_and_last(shown)[:, None, None]
        course = ndimage.binary_dilation(shown.any(0), iterations=COURSE)
        unknown |= silent & (ndimage.binary_dilation(found == vessel, iterations=NEAR) | course)
    labels[unknown & (labels == 0)] = IGNORED
    return labels


def _sinus(kidneys: np.ndarray, grid: Grid) -> np.ndarray:
    """What a ball of `SINUS_MM` cannot reach from outside kidneys (z, y, x; bool); the scan's border is no wall."""
    sinus = np.zeros_like(kidneys)
    if kidneys.any():
        margin = [(ceil(2 * SINUS_MM / mm),) * 2 for mm in grid.spacing]
        window = grid.window(grid.box_of(kidneys))
        inner = tuple(slice(low, -high) for low, high in margin)
        outside = distance(np.pad(kidneys[window], margin), grid) > SINUS_MM
        sinus[window] = (distance(outside, grid) >= SINUS_MM)[inner] & ~kidneys[window]
    return sinus


def _between_first_and_last(mask: np.ndarray) -> np.ndarray:
    """Which slices lie between the first and the last that show the mask."""
    slices = np.flatnonzero(mask.any((1, 2)))
    between = np.zeros(len(mask), bool)
    if len(slices):
        between[slices[0] : slices[-1] + 1] = True
    return between


def neighbours(volume: Volume) -> np.ndarray:
    """`NEIGHBOUR_LABELS` (z, y, x) of what the released locator sees in a CT if nothing is kidney, `MAYBE_NEIGHBOUR`
    where that is not credible, 0 elsewhere."""
    locator = load(LOCATOR, CPU, "torch")
    grid = network_grid(volume, locator.config)
    maps = probabilities(scores_of(locator.maps(network_input(volume, grid, locator.config)), locator.config))
    names = ("background", *NEIGHBOUR_LABELS)
    reference = reference_image(volume.affine, volume.array.shape)
    shares = np.stack([interpolated(maps[LOCATOR_CLASSES.index(name)], grid, reference, 0.0) for name in names])
    labels = np.array((0, *NEIGHBOUR_LABELS.values()), np.uint8)[shares.argmax(0)]
    sure = shares.max(0) > SURE * shares.sum(0)
    return credible(labels, sure, volume.array)


def credible(labels: np.ndarray, sure: np.ndarray, hu: np.ndarray) -> np.ndarray:
    """Neighbours' labels (z, y, x), `MAYBE_NEIGHBOUR` where they are not `sure`, not part of the largest sure piece of
    their kind, or of a piece of liver or spleen that is too dark for one (`hu`)."""
    result = np.where(labels > 0, MAYBE_NEIGHBOUR, 0).astype(np.uint8)
    for name, label in NEIGHBOUR_LABELS.items():
        piece = cc3d.largest_k((labels == label) & sure, k=1) > 0
        if piece.any() and (name == "spine" or np.median(hu[piece]) >= LEAST_ORGAN_HU):
            result[piece] = label
    return result


def write_case(image: Path, reference: Path, out: Path, unknown: int = IGNORED) -> None:
    """One CT and its completed labels, laid out as `kidneyparsing synthesize` does; what is unknown becomes `unknown`.

    Labels that exist stay: the model that they were made with may be another by now.
    """
    name = image.name.removesuffix(".nii.gz")
    if (out / "labelsTr" / f"{name}.nii.gz").exists():
        return
    mask = sitk.ReadImage(str(reference))
    grid = Grid(np.zeros(3), mask.GetSpacing()[::-1], mask.GetSize()[::-1])
    labels = completed(sitk.GetArrayFromImage(mask), segment(image).structure_labels(), grid)
    labels = np.where(labels == 0, neighbours(read_ct(image)), labels)
    labels[labels == IGNORED] = unknown  # the reference's own too: what it does not score
    result = sitk.GetImageFromArray(labels)
    result.CopyInformation(mask)
    shutil.copyfile(image, out / "imagesTr" / f"{name}_0000.nii.gz")
    sitk.WriteImage(result, str(out / "labelsTr" / f"{name}.nii.gz"))
    print(name, f"{(labels == unknown).mean():.1%} unknown", flush=True)


def main() -> None:
    """Label every CT that has a reference; with --only the named ones."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("real", type=Path)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--only", nargs="+", metavar="NAME")
    arguments.add_argument("--no-other-lesions", action="store_true")
    given = arguments.parse_args()
    unknown = NO_LESION if given.no_other_lesions else IGNORED
    for folder in ("imagesTr", "labelsTr"):
        (given.out / folder).mkdir(parents=True, exist_ok=True)
    images = [p for p in sorted(given.real.glob("*.nii.gz")) if not p.name.endswith("_ref.nii.gz")]
    for image in images:
        reference = reference_of(image)
        if reference and (not given.only or image.name.removesuffix(".nii.gz") in given.only):
            write_case(image, reference, given.out, unknown)


if __name__ == "__main__":
    main()
