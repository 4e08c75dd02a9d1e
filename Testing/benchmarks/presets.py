"""Dice and seconds of the presets, of windows instead of one pass and of the whole scan; how kidneys agree with it.

    python Testing/benchmarks/presets.py --real REAL_CT_FOLDER --made SPLIT_FOLDER --n 10

Two Markdown tables, real and made (synthetic) CT apart; rules as in real_scans.py and made_scans.py, which also makes
the folder of the split (its `--scans`). Results are kept in --keep, a JSON line for each scan and preset: a run that
was stopped goes on. Agreement is Dice of kidneys with lesions against the whole scan's, everywhere and inside the boxes
(narrow ones) around the located kidneys, where there are any.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean, median

import numpy as np
import SimpleITK as sitk
from made_scans import ScoreFile
from real_scans import IGNORED, scans, vessel_dice

from KidneyParsingLib.anatomy import ORGAN_LABELS, structure
from KidneyParsingLib.evaluation.metrics import dice, dice_by_structure
from KidneyParsingLib.inference.grid import index_window
from KidneyParsingLib.inference.options import DEFAULT_MODEL, Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.inference.search import around_located, locate
from KidneyParsingLib.inference.systems import LOCATOR
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import Volume
from KidneyParsingLib.volumes.writing import read_structure_labels

PRESETS = {
    "whole scan": Options(region="whole"),
    "fast": Options(quality="fast"),
    "default": Options(),
    "windows": Options(overlap=0.5),
    "best": Options(quality="best"),
}
REAL, MADE = "real", "made"
STRUCTURES = {REAL: ("kidney", "artery", "vein"), MADE: ("kidney", "tumor", "artery", "vein", "ureter")}


def real_dice(labels: np.ndarray, reference: np.ndarray, volume: Volume) -> dict[str, float]:
    """Dice of kidney with lesions and, where the reference shows them, of vessels."""
    counted = reference != IGNORED
    found = {"kidney": dice(np.isin(labels, ORGAN_LABELS) & counted, np.isin(reference, ORGAN_LABELS))}
    for name in ("artery", "vein"):
        truth = reference == structure(name).label
        if truth.any():
            spacing = tuple(volume.spacing[::-1].tolist())
            found[name] = vessel_dice(labels == structure(name).label, truth, counted, spacing)
    return found


def made_dice(labels: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Dice of the structures that the truth shows."""
    return {
        name: value
        for name, value in dice_by_structure(labels, truth).items()
        if (truth == structure(name).label).any()
    }


def cases(real: Path | None, made: Path | None, count: int) -> Iterator[tuple[str, Path, Path]]:
    """Kind, CT and reference of every scan; of the made ones the first, balanced as far as their number allows."""
    if real:
        yield from ((REAL, image, reference) for image, reference in scans(real) if reference.is_file())
    if made:
        images = sorted((made / "imagesTs").glob("*_0000.nii.gz"))
        for image in images[:count]:
            yield MADE, image, made / "labelsTs" / image.name.replace("_0000", "")


def inside_boxes(parser: KidneyParser, volume: Volume) -> np.ndarray:
    """Mask of the boxes around the located kidneys; all of the scan where the locator is in doubt."""
    location = locate(parser.networks[LOCATOR], volume)
    mask = np.full(volume.array.shape, bool(location.doubt))
    for box in around_located(location, volume, with_ureters=False).boxes:
        mask[index_window(volume.affine, volume.array.shape, box, margin=0)] = True
    return mask


def score_case(kind: str, image: Path, reference: Path, parsers: dict[str, KidneyParser], kept: ScoreFile) -> None:
    """Adds a record for every preset."""
    if all(kept.find(scan=image.name, preset=preset) for preset in parsers):
        return
    volume = read_ct(image)
    truth = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(reference))) if kind == REAL else read_structure_labels(reference)[0]
    )
    whole: np.ndarray | None = None
    boxes = inside_boxes(next(iter(parsers.values())), volume)
    for preset, parser in parsers.items():
        start = time.perf_counter()
        labels = parser.parse(volume).structure_labels()
        seconds = time.perf_counter() - start
        organ = np.isin(labels, ORGAN_LABELS)
        whole = organ if whole is None else whole
        values = real_dice(labels, truth, volume) if kind == REAL else made_dice(labels, truth)
        record = {"kind": kind, "scan": image.name, "preset": preset, "seconds": seconds, "dice": values}
        kept.add(record | {"agreement": dice(organ, whole), "inside": dice(organ & boxes, whole & boxes)})


def table(kind: str, records: list[dict]) -> str:
    """A row for each preset: median seconds, mean Dice, mean and lowest agreement with the whole scan, everywhere and
    inside the boxes."""
    names = STRUCTURES[kind]
    lines = [
        f"| {kind} | scans | seconds | {' | '.join(names)} | agreement | lowest | inside | lowest |",
        "|---" * (len(names) + 7) + "|",
    ]
    for preset in PRESETS:
        rows = [r for r in records if r["kind"] == kind and r["preset"] == preset and "inside" in r]
        if rows:
            values = ([r["dice"][name] for r in rows if name in r["dice"]] for name in names)
            cells = [f"{mean(v):.3f}" if v else "-" for v in values]
            seconds = median(r["seconds"] for r in rows)
            for where in ("agreement", "inside"):
                values = [r[where] for r in rows]
                cells += [f"{mean(values):.3f}", f"{min(values):.3f}"]
            lines.append(f"| {preset} | {len(rows)} | {seconds:.1f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Score what is missing and print both tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--real", type=Path, help="folder of real CTs")
    arguments.add_argument("--made", type=Path, help="folder of the synthetic split")
    arguments.add_argument("--n", type=int, default=10, help="made scans (default 10)")
    arguments.add_argument("--keep", type=Path, default=Path("presets_and_boxes.jsonl"), help="file of results so far")
    arguments.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS), help="default: all")
    arguments.add_argument("--model", default=DEFAULT_MODEL)
    given = arguments.parse_args()
    kept = ScoreFile(given.keep)
    chosen = {name: options for name, options in PRESETS.items() if name in ("whole scan", *given.presets)}
    parsers = {name: KidneyParser(replace(options, model=given.model)) for name, options in chosen.items()}
    for kind, image, reference in cases(given.real, given.made, given.n):
        score_case(kind, image, reference, parsers, kept)
        print(f"{image.name} done", flush=True)
    for kind in (REAL, MADE):
        print(f"\n{table(kind, kept.records)}")


if __name__ == "__main__":
    main()
