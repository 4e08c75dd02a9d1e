"""Real shapes to start from: the SPL abdominal atlas (whole anatomy) and single kidneys of the KiTS23-derived atlas.

Both are given as folders (see docs/training.md for where they come from and under which licences).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cc3d
import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..anatomy import LEFT, RIGHT
from ..errors import InputError
from .tissues import Tissue

# The header's spacing is not credible (a 47 ml kidney); this one gives adult organ sizes.
_SPL_SPACING_MM = (3.1, 1.2, 1.2)

_SPL_TISSUES: dict[Tissue, tuple[int, ...]] = {
    Tissue.LIVER: (3,),
    Tissue.SPLEEN: (4,),
    Tissue.PANCREAS: (6,),
    Tissue.ARTERY: (7, 29, 126, 71, 72, 73, 74),
    Tissue.VEIN: (8, 128, 129, 81, 82, 83, 84),
    Tissue.BOWEL_FLUID: (9,),
    Tissue.GALLBLADDER: (10,),
    Tissue.PORTAL_VEIN: (11, 12, 117, 151, 152, 153),
    Tissue.STOMACH: (13,),
    Tissue.OTHER_ARTERY: (16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 75, 76, 127, 227),
    Tissue.OTHER_VEIN: (85, 86),
    Tissue.ADRENAL: (111, 112),
    Tissue.URINE: (141, 142, 145, 146),
    Tissue.CORTEX: (51, 52),
    Tissue.MARROW: (*range(409, 413), *range(501, 506), 600, 700),
    Tissue.DISC: tuple(range(551, 560)),
    Tissue.BONE: (2, 299, *range(681, 700)),
    Tissue.MUSCLE: (32, *range(131, 141), 143, *range(231, 242)),
}
SPL_KIDNEY = {RIGHT: 51, LEFT: 52}
SPL_HILUM = {RIGHT: (145, 126, 129, 141), LEFT: (146, 29, 128, 142)}
SPL_URETER = {RIGHT: 141, LEFT: 142}
SPL_AORTA, SPL_CAVA = 7, 8
SPL_COMMON_ILIAC = {RIGHT: 71, LEFT: 72}
SPL_PSOAS = {RIGHT: 131, LEFT: 231}
SPL_SPINE = (*range(409, 413), *range(501, 506), *range(551, 560), 600, 700)


def _read(path: Path) -> sitk.Image:
    if not path.is_file():
        raise InputError(
            f"{path} is missing; give the folder that holds it (docs/training.md says where it comes from)."
        )
    return sitk.ReadImage(str(path))


def _upright(image: sitk.Image) -> np.ndarray:
    """Array (z, y, x) with z to superior, y to posterior and x to left."""
    return sitk.GetArrayFromImage(sitk.DICOMOrient(image, "LPS"))


@lru_cache(maxsize=2)
def spl_labels(folder: Path, spacing: float) -> np.ndarray:
    """The SPL atlas's own labels (z, y, x; z superior, y posterior, x left), int16, resampled to `spacing` mm."""
    labels = _upright(_read(Path(folder) / "seg.nrrd")).astype(np.int16)
    zoom = [a / spacing for a in _SPL_SPACING_MM]
    return ndimage.zoom(labels, zoom, order=0)


def spl_tissues(labels: np.ndarray) -> np.ndarray:
    """uint8 tissues of SPL labels; what the atlas leaves unlabelled stays AIR."""
    table = np.zeros(1024, np.uint8)
    for tissue, values in _SPL_TISSUES.items():
        table[list(values)] = tissue
    return table[labels]


@dataclass(frozen=True)
class KidneyShape:
    """One real kidney: uint8 array (z, y, x; 1 kidney, 2 tumor, 3 cyst), isotropic, with its side and source case."""

    array: np.ndarray
    side: str
    case: str


def kidney_cases(folder: Path) -> list[Path]:
    """The atlas's label maps, sorted. Raises InputError if the folder holds none."""
    cases = sorted(Path(folder).glob("case_*.nii.gz"))
    if not cases:
        raise InputError(f"{folder} holds no case_*.nii.gz; give the kidney atlas folder (docs/training.md).")
    return cases


def kidney_shapes(path: Path, spacing: float) -> list[KidneyShape]:
    """The single kidneys (with their lesions) of one atlas case, resampled to `spacing` mm.

    Sides follow from the positions in the patient; a case that does not show two clear kidneys gives none.
    """
    array = _upright(_read(path)).astype(np.uint8)
    factor = max(1, int(spacing))
    array = array[factor // 2 :: factor, factor // 2 :: factor, factor // 2 :: factor]
    array = ndimage.zoom(array, factor / spacing, order=0) if factor != spacing else array
    parts = cc3d.connected_components(array > 0, connectivity=26)
    voxels = np.bincount(parts.ravel())[1:]
    large = np.flatnonzero(voxels * spacing**3 > 40_000) + 1
    if len(large) != 2:
        return []
    boxes = {part: ndimage.find_objects((parts == part).astype(np.uint8))[0] for part in large}
    right, left = sorted(large, key=lambda part: boxes[part][2].start)
    return [
        KidneyShape(np.where(parts == part, array, 0)[boxes[part]], side, path.name[:10])
        for part, side in ((right, RIGHT), (left, LEFT))
    ]
