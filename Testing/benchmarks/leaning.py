"""What leaning to structures that are called too rarely brings: Markdown tables of Dice and false tumors.

    kidneyparsing synthesize VALIDATION --n 15 --seed 700000 --grid scanner --spl SPL_FOLDER --kidneys KIDNEY_FOLDER
    python Testing/benchmarks/leaning.py --scans VALIDATION --real REAL_CT_FOLDER

Each row adds so much to the scores of all structures but the kidney; for a structure the row that serves it best goes into
the manifest ("leaning" of the network). The scans must be none of the test split's: what is chosen on them is no longer a
test.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import cc3d
import numpy as np
import SimpleITK as sitk
from presets import made_dice, real_dice
from real_scans import scans

from KidneyParsingLib.anatomy import STRUCTURES, structure
from KidneyParsingLib.inference.options import DEFAULT_MODEL, Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.volumes.geometry import voxel_ml
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import Volume
from KidneyParsingLib.volumes.writing import read_structure_labels

LEANINGS = (0.0, 0.5, 1.0, 1.5, 2.0)
FALSE = "false tumor, ml"
_TUMOR = structure("tumor").label
Scores = dict[str, float]


def false_tumor_ml(labels: np.ndarray, truth: np.ndarray, volume: Volume) -> float:
    """What is called tumor in components that touch no true tumor."""
    parts = cc3d.connected_components(labels == _TUMOR, connectivity=26)
    voxels = np.bincount(parts.ravel())
    voxels[0] = 0
    voxels[np.unique(parts[truth == _TUMOR])] = 0
    return float(voxels.sum() * voxel_ml(volume.affine))


def made_cases(folder: Path) -> Iterator[tuple[Volume, np.ndarray]]:
    """CT and structure labels of a folder that `synthesize` wrote."""
    for image in sorted((folder / "imagesTr").glob("*_0000.nii.gz")):
        yield read_ct(image), read_structure_labels(folder / "labelsTr" / image.name.replace("_0000", ""))[0]


def real_cases(folder: Path) -> Iterator[tuple[Volume, np.ndarray]]:
    """CT and reference of the real scans that have one."""
    for image, reference in scans(folder):
        if reference.is_file():
            yield read_ct(image), sitk.GetArrayFromImage(sitk.ReadImage(str(reference)))


def scores(parser: KidneyParser, volume: Volume, truth: np.ndarray, is_real: bool) -> dict[float, Scores]:
    """Dice and false tumor of one scan for every leaning."""
    found = {}
    for value in LEANINGS:
        parser.leaning = {s.name: value for s in STRUCTURES if s.name in parser.config.classes and s.name != "kidney"}
        labels = parser.parse(volume).structure_labels()
        dice = real_dice(labels, truth, volume) if is_real else made_dice(labels, truth)
        found[value] = dice | {FALSE: false_tumor_ml(labels, truth, volume)}
    return found


def table(kind: str, results: list[dict[float, Scores]]) -> str:
    """A row for each leaning: the means over the scans that show a structure."""
    names = [*(s.name for s in STRUCTURES if any(s.name in r[0.0] for r in results)), FALSE]
    lines = [f"| {kind}, {len(results)} scans | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for value in LEANINGS:
        cells = [f"{mean(r[value][name] for r in results if name in r[value]):.3f}" for name in names]
        lines.append(f"| {value:+.1f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Score all scans and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--scans", type=Path, help="folder of made scans, none of the test split")
    arguments.add_argument("--real", type=Path, help="folder of real CTs")
    arguments.add_argument("--model", default=DEFAULT_MODEL)
    given = arguments.parse_args()
    parser = KidneyParser(Options(model=given.model))
    for kind, cases in (
        ("made (synthetic)", made_cases(given.scans) if given.scans else ()),
        ("real", real_cases(given.real) if given.real else ()),
    ):
        results = [scores(parser, volume, truth, kind == "real") for volume, truth in cases]
        if results:
            print(f"\n{table(kind, results)}", flush=True)


if __name__ == "__main__":
    main()
