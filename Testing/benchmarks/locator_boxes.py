"""How well the locator finds kidneys: a Markdown table, a row a scan.

    python Testing/benchmarks/locator_boxes.py --scans SPLIT_FOLDER --real REAL_CT_FOLDER

SPLIT_FOLDER is laid out as `made_scans.py` leaves it (imagesTs, labelsTs); REAL_CT_FOLDER holds NAME.nii.gz and
NAME_ref.nii.gz, as for `real_scans.py`. Other weights: name their folder in KIDNEYPARSING_WEIGHTS. *Dice*: kidneys with
lesions on the locator's grid; *inside*: how much of them lies in the boxes, with wide margins, around what was located;
*regions*: ml of these; *doubt*: why the whole scan would be parsed instead. The released locator was trained with the
scans of docs/results.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import numpy as np
import SimpleITK as sitk
from real_scans import REFERENCES

from KidneyParsingLib.anatomy import ORGAN_LABELS
from KidneyParsingLib.evaluation.metrics import dice
from KidneyParsingLib.inference.devices import CPU
from KidneyParsingLib.inference.grid import Grid, index_window
from KidneyParsingLib.inference.locate import location_of, probabilities
from KidneyParsingLib.inference.maps import scores_of
from KidneyParsingLib.inference.models import load
from KidneyParsingLib.inference.network_input import network_grid, network_input
from KidneyParsingLib.inference.network_pass import Predictor
from KidneyParsingLib.inference.search import around_located
from KidneyParsingLib.inference.systems import LOCATOR
from KidneyParsingLib.networks.configs import LOCATOR_CLASSES
from KidneyParsingLib.volumes.geometry import image_from_array
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import Volume
from KidneyParsingLib.volumes.writing import read_structure_labels

Scan = tuple[str, Volume, np.ndarray]


def made(folder: Path) -> Iterator[Scan]:
    """Name, CT and kidneys with lesions (z, y, x; bool) of every made scan."""
    for path in sorted((folder / "labelsTs").glob("*.nii.gz")):
        name = path.name.removesuffix(".nii.gz")
        volume = read_ct(folder / "imagesTs" / f"{name}_0000.nii.gz")
        yield name, volume, np.isin(read_structure_labels(path)[0], ORGAN_LABELS)


def real(folder: Path) -> Iterator[Scan]:
    """The same of every real scan that has a reference."""
    for path in sorted(folder.glob("*.nii.gz")):
        name = path.name.removesuffix(".nii.gz")
        references = [where / f"{name}_ref.nii.gz" for where in (folder, REFERENCES)]
        for reference in list(filter(Path.exists, references))[:1]:
            yield name, read_ct(path), np.isin(sitk.GetArrayFromImage(sitk.ReadImage(str(reference))), ORGAN_LABELS)


def checked(locator: Predictor, volume: Volume, truth: np.ndarray) -> tuple[float, int, float, float, str]:
    """Dice, located kidneys, share inside the regions, ml of the regions, doubt."""
    grid = network_grid(volume, locator.config)
    hu = network_input(volume, grid, locator.config)
    scores = scores_of(locator.maps(hu), locator.config)
    location = location_of(scores, hu, grid)
    coarse = _on_grid(truth, volume, grid)
    kidney = probabilities(scores).argmax(0) == LOCATOR_CLASSES.index("kidney")
    boxes = around_located(location, volume, False, wide=True).boxes
    seen = np.zeros(truth.shape, bool)
    for box in boxes:
        seen[index_window(volume.affine, truth.shape, box, margin=0)] = True
    ml = sum(float(np.prod(box.high - box.low)) for box in boxes) / 1000
    return dice(kidney, coarse), len(location.kidneys), float(seen[truth].mean()), ml, location.doubt


def _on_grid(truth: np.ndarray, volume: Volume, grid: Grid) -> np.ndarray:
    """The truth on the locator's grid, by its nearest voxels."""
    image = image_from_array(truth.astype(np.uint8), volume.affine)
    target = image_from_array(np.zeros(grid.size, np.uint8), grid.affine)
    return sitk.GetArrayFromImage(sitk.Resample(image, target, sitk.Transform(), sitk.sitkNearestNeighbor)) > 0


def main() -> None:
    """Locate the kidneys of every scan and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--scans", type=Path)
    arguments.add_argument("--real", type=Path)
    given = arguments.parse_args()
    locator = load(LOCATOR, CPU, "torch")
    print("| scan | Dice | located | inside | regions, ml | doubt |\n| --- | --- | --- | --- | --- | --- |")
    folders = (("made (synthetic)", made, given.scans), ("real", real, given.real))
    for kind, scans_of, folder in folders:
        rows = []
        for name, volume, truth in scans_of(folder) if folder else ():
            row = checked(locator, volume, truth)
            print(f"| {name} | {row[0]:.3f} | {row[1]} | {row[2]:.3f} | {row[3]:.0f} | {row[4]} |", flush=True)
            rows.append(row)
        if rows:
            overlap, _, inside, ml, _ = zip(*rows, strict=True)
            doubts = sum(bool(row[4]) for row in rows)
            print(f"| **{kind}** | {mean(overlap):.3f} | | {mean(inside):.3f} | {mean(ml):.0f} | {doubts} |")


if __name__ == "__main__":
    main()
