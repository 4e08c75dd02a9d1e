"""Scores on real CTs with reference masks, a Markdown table; weights as released or from a folder.

    python Testing/benchmarks/real_scans.py --real FOLDER --models ba_net

A scan NAME.nii.gz is scored if NAME_ref.nii.gz lies beside it or in Testing/references: structure labels 1..6, 255
where nothing is scored. Kidney with its lesions counts as kidney. References show vessels in some slices only: vessels
are scored in the slices where the reference has them and within 15 mm of it. A kidney is missed if less than a tenth of
it is found; what is called kidney and touches no kidney of the reference is false.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cc3d
import numpy as np
import SimpleITK as sitk
from contour_sheet import write_contours
from scipy import ndimage

from KidneyParsingLib.anatomy import ORGAN_LABELS, structure
from KidneyParsingLib.evaluation.metrics import dice
from KidneyParsingLib.inference.options import DEFAULT_MODEL, Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.volumes.geometry import voxel_ml
from KidneyParsingLib.volumes.reading import read_ct

REFERENCES = Path(__file__).parents[1] / "references"
IGNORED = 255
NEAR_MM = 15.0
FOUND_SHARE = 0.1


def near_reference(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Voxels (z, y, x) in the slices between the first and last of `mask`, within 15 mm of it in the slice."""
    slices = np.flatnonzero(mask.any((1, 2)))
    near = np.zeros_like(mask)
    for z in range(slices[0], slices[-1] + 1):
        if mask[z].any():
            near[z] = ndimage.distance_transform_edt(~mask[z], sampling=spacing[1:]) <= NEAR_MM
    return near


def vessel_dice(predicted: np.ndarray, truth: np.ndarray, counted: np.ndarray, spacing: tuple) -> float:
    """Dice of a vessel where the reference shows it."""
    region = near_reference(truth, spacing) & counted
    return dice(predicted & region, truth & region)


def kidneys_missed(predicted: np.ndarray, truth: np.ndarray, least_voxels: float) -> int:
    """How many of the reference's kidneys (components of `least_voxels` or more) are not found."""
    parts, count = cc3d.connected_components(truth, connectivity=26, return_N=True)
    voxels = np.bincount(parts.ravel(), minlength=count + 1)
    found = np.bincount(parts[predicted], minlength=count + 1)
    return int(((voxels >= least_voxels) & (found < FOUND_SHARE * voxels))[1:].sum())


def false_ml(predicted: np.ndarray, allowed: np.ndarray, ml: float) -> float:
    """Volume of the predicted components that touch nothing of `allowed`."""
    parts, count = cc3d.connected_components(predicted, connectivity=26, return_N=True)
    voxels = np.bincount(parts.ravel(), minlength=count + 1).astype(float)
    touching = np.unique(parts[allowed & predicted])
    voxels[touching] = 0
    return float(voxels[1:].sum() * ml)


def scores(labels: np.ndarray, reference: np.ndarray, spacing: tuple, ml: float) -> list[str]:
    """Cells of the table: kidney, artery, vein, missed kidneys, false kidney ml, tumor ml."""
    counted = reference != IGNORED
    organ, truth = np.isin(labels, ORGAN_LABELS) & counted, np.isin(reference, ORGAN_LABELS)
    cells = [f"{dice(organ, truth):.3f}"]
    for name in ("artery", "vein"):
        label = structure(name).label
        mask = reference == label
        cells.append(f"{vessel_dice(labels == label, mask, counted, spacing):.3f}" if mask.any() else "-")
    cells.append(str(kidneys_missed(organ, truth, 5 / ml)))
    cells.append(f"{false_ml(np.isin(labels, ORGAN_LABELS), truth | ~counted, ml):.1f}")
    return [*cells, f"{(labels == structure('tumor').label).sum() * ml:.1f}"]


def scans(folder: Path) -> list[tuple[Path, Path]]:
    """Every CT of the folder with its reference, beside it or among ours, which may not exist."""
    images = sorted(p for p in folder.glob("*.nii.gz") if not p.name.endswith("_ref.nii.gz"))
    beside = [p.with_name(p.name.replace(".nii.gz", "_ref.nii.gz")) for p in images]
    return [(p, r if r.is_file() else REFERENCES / r.name) for p, r in zip(images, beside, strict=True)]


def line(parser: KidneyParser, image: Path, reference: Path, pictures: Path | None) -> str:
    """One scan's row; its picture goes to the folder `pictures`."""
    volume = read_ct(image)
    started = time.perf_counter()
    labels = parser.parse(volume).structure_labels()
    seconds = time.perf_counter() - started
    if pictures:
        write_contours(volume, labels, pictures / f"{parser.options.model}_{image.name.removesuffix('.nii.gz')}.png")
    ml = voxel_ml(volume.affine)
    spacing = tuple(float(np.linalg.norm(volume.affine[:3, axis])) for axis in (2, 1, 0))
    if reference.is_file():
        cells = scores(labels, sitk.GetArrayFromImage(sitk.ReadImage(str(reference))), spacing, ml)
    else:
        volumes = [np.isin(labels, ORGAN_LABELS).sum() * ml, *((labels == k).sum() * ml for k in (3, 4))]
        cells = [f"({v:.0f} ml)" for v in volumes] + ["-", "-", f"{(labels == 2).sum() * ml:.1f}"]
    return f"| {parser.options.model} | {image.name.removesuffix('.nii.gz')} | {' | '.join(cells)} | {seconds:.1f} |"


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--real", type=Path, required=True)
    arguments.add_argument("--models", nargs="+", default=[DEFAULT_MODEL])
    arguments.add_argument("--pictures", type=Path, help="folder for a picture of each scan")
    given = arguments.parse_args()
    if given.pictures:
        given.pictures.mkdir(parents=True, exist_ok=True)
    if not scans(given.real):
        arguments.error(f"{given.real} holds no .nii.gz; give the folder of real CTs")
    print("| model | scan | kidney | artery | vein | missed kidneys | false kidney, ml | called tumor, ml | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for model in given.models:
        parser = KidneyParser(Options(model=model))
        for image, reference in scans(given.real):
            print(line(parser, image, reference, given.pictures), flush=True)


if __name__ == "__main__":
    main()
