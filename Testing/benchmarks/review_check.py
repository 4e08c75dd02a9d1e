"""Whether review places lead to errors: a Markdown table over CTs with reference labels.

    python Testing/benchmarks/review_check.py --real FOLDER --made FOLDER

`--real` holds NAME.nii.gz with NAME_ref.nii.gz as in real_scans.py: ureters are not in those references and vessels
only in some slices, so places of ureters, and whatever lies in what is ignored there, are not counted. `--made` is a
folder of made_scans.py, where the truth is known everywhere. Kidneys cut by a border are not counted: they are no
errors against a reference on the same scan.

An error is a connected region of at least 0.2 ml whose structure label is wrong and into which a cube of 4 mm fits
everywhere: what is thinner along a surface is none. Columns: places counted among the first ten; the share of them
within 10 mm of an error, and that share for random voxels of the segments (chance); errors; the share of them with one
of all places within 10 mm, the same by volume, and the first share for as many random voxels.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cc3d
import numpy as np
import SimpleITK as sitk
from real_scans import IGNORED, near_reference, scans
from scipy import ndimage
from scipy.spatial import cKDTree

from KidneyParsingLib.anatomy import VESSEL_LABELS, structure
from KidneyParsingLib.inference.options import DEFAULT_MODEL, Options
from KidneyParsingLib.inference.parser import KidneyParser
from KidneyParsingLib.review import ReviewPlace
from KidneyParsingLib.volumes.geometry import lps_to_ras, spacing_of, voxel_ml
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.volume import Volume

NEAR_MM = 10.0
LEAST_ML = 0.2
FIRST = 10
# A cube of this side fits into an error everywhere.
THICK_MM = 4.0
CHANCE_DRAWS = 50
URETER = structure("ureter").label


@dataclass(frozen=True)
class Truth:
    """Reference labels (z, y, x), where they count, where vessels count, and whether they show ureters."""

    labels: np.ndarray
    counted: np.ndarray
    vessels_counted: np.ndarray
    with_ureters: bool = True

    def counts(self, label: np.ndarray, at: tuple = (slice(None),)) -> np.ndarray:
        """Whether a structure label counts at these voxels."""
        ureter = self.with_ureters | (label != URETER)
        return self.counted[at] & ureter & (self.vessels_counted[at] | ~np.isin(label, VESSEL_LABELS))


@dataclass(frozen=True)
class Check:
    """Figures of one scan or of several added up; volumes in ml."""

    places: float = 0
    hits: float = 0
    chance_hits: float = 0
    errors: float = 0
    found: float = 0
    chance_found: float = 0
    error_ml: float = 0
    found_ml: float = 0

    def __add__(self, other: Check) -> Check:
        return Check(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def row(self, name: str) -> str:
        """A row of the table."""
        shares = [self.hits / max(self.places, 1), self.chance_hits / max(self.places, 1)]
        shares += [self.found / max(self.errors, 1), self.found_ml / max(self.error_ml, 1e-9)]
        shares += [self.chance_found / max(self.errors, 1)]
        cells = [f"{s:.2f}" for s in shares]
        return f"| {name} | {self.places:.0f} | {' | '.join(cells[:2])} | {self.errors:.0f} | {' | '.join(cells[2:])} |"


def error_regions(labels: np.ndarray, truth: Truth, affine: np.ndarray) -> list[np.ndarray]:
    """Voxels (n, 3) of every error of at least 0.2 ml."""
    wrong = (labels != truth.labels) & truth.counts(labels) & truth.counts(truth.labels)
    cube = np.ones(np.ceil(THICK_MM / spacing_of(affine)[::-1] - 0.05).astype(int), bool)
    parts = cc3d.connected_components(ndimage.binary_opening(wrong, cube), connectivity=6)
    points = np.argwhere(parts)
    part = parts[tuple(points.T)]
    return [p for p in (points[part == n] for n in np.unique(part)) if len(p) * voxel_ml(affine) >= LEAST_ML]


def to_ras(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """RAS mm (n, 3) of indices (n, 3) in z, y, x."""
    ras = lps_to_ras(affine)
    return points[:, ::-1] @ ras[:3, :3].T + ras[:3, 3]


def check(labels: np.ndarray, places: Sequence[ReviewPlace], truth: Truth, affine: np.ndarray, seed: int = 0) -> Check:
    """The figures of one scan, whose labels and truth lie on one grid."""
    errors = [to_ras(points, affine) for points in error_regions(labels, truth, affine)]
    ml = np.array([len(e) for e in errors]) * voxel_ml(affine)
    centers = np.array([p.center_ras for p in places if _counts(p, truth, affine)]).reshape(-1, 3)
    segments = to_ras(np.argwhere((labels > 0) & truth.counts(labels)), affine)
    draws = np.random.default_rng(seed).integers(0, max(len(segments), 1), (CHANCE_DRAWS, len(centers)))
    first = centers[:FIRST]
    found = _reached(errors, centers)
    if not len(segments) or not len(centers):
        return Check(errors=len(errors), error_ml=float(ml.sum()))
    chance = [(_hits(segments[d][:FIRST], errors), _reached(errors, segments[d]).sum()) for d in draws]
    hits, by_chance = _hits(first, errors), np.mean(chance, 0)
    return Check(len(first), hits, by_chance[0], len(errors), found.sum(), by_chance[1], ml.sum(), ml[found].sum())


def _counts(place: ReviewPlace, truth: Truth, affine: np.ndarray) -> bool:
    index = np.linalg.inv(lps_to_ras(affine)) @ [*place.center_ras, 1.0]
    at = tuple(np.clip(np.round(index[2::-1]).astype(int), 0, np.subtract(truth.labels.shape, 1)))
    label = np.asarray(structure(place.structure).label)
    return place.kind != "border" and bool(truth.counts(label, at))


def _hits(points: np.ndarray, errors: list[np.ndarray]) -> int:
    if not errors or not len(points):
        return 0
    return int((cKDTree(np.concatenate(errors)).query(points)[0] <= NEAR_MM).sum())


def _reached(errors: list[np.ndarray], points: np.ndarray) -> np.ndarray:
    if not len(points):
        return np.zeros(len(errors), bool)
    tree = cKDTree(points)
    return np.array([tree.query(error)[0].min() <= NEAR_MM for error in errors], bool)


def reference_truth(reference: np.ndarray, spacing: tuple[float, ...]) -> Truth:
    """A real scan's reference: vessels count where it shows them, ureters nowhere, kidneys and lesions everywhere."""
    labels = np.where(reference == IGNORED, 0, reference).astype(np.uint8)
    near = np.zeros(reference.shape, bool)
    for vessel in VESSEL_LABELS:
        if (labels == vessel).any():
            near |= near_reference(labels == vessel, spacing)
    return Truth(labels, reference != IGNORED, near, with_ureters=False)


def real_cases(folder: Path) -> Iterator[tuple[str, Volume, Truth]]:
    """Real CTs of a folder that have references."""
    for image, reference in scans(folder):
        if reference.is_file():
            volume = read_ct(image)
            array = sitk.GetArrayFromImage(sitk.ReadImage(str(reference)))
            yield image.name.removesuffix(".nii.gz"), volume, reference_truth(array, tuple(volume.spacing[::-1]))


def made_cases(folder: Path, most: int) -> Iterator[tuple[str, Volume, Truth]]:
    """The first scans of a made test split, on folders written by made_scans.py."""
    for image in sorted((folder / "imagesTs").glob("*_0000.nii.gz"))[:most]:
        name = image.name.removesuffix("_0000.nii.gz")
        labels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "labelsTs" / f"{name}.nii.gz")))
        yield name, read_ct(image), Truth(labels, *[np.ones(labels.shape, bool)] * 2)


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--real", type=Path)
    arguments.add_argument("--made", type=Path)
    arguments.add_argument("--n", type=int, default=12, help="how many of the made scans (default 12)")
    arguments.add_argument("--model", default=DEFAULT_MODEL)
    given = arguments.parse_args()
    parser = KidneyParser(Options(model=given.model, review=True))
    print("| scan | first places | hits | by chance | errors | found | of their ml | found by chance |")
    print("|---|---|---|---|---|---|---|---|")
    for folder, cases in ((given.real, real_cases), (given.made, lambda path: made_cases(path, given.n))):
        total = Check()
        for name, volume, truth in cases(folder) if folder else ():
            result = parser.parse(volume)
            figures = check(result.structure_labels(), result.places, truth, volume.affine)
            total += figures
            print(figures.row(name), flush=True)
        if folder:
            print(total.row("all"))


if __name__ == "__main__":
    main()
