"""What made shapes are compared with: published ranges, and the kidney atlas measured as made truth is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from .shapes import Values, kidney_shapes


@dataclass(frozen=True)
class Reference:
    """A range of real values: `middle`, `inner` (about 68 % of people) and `outer` (about 95 %), with its `source`."""

    middle: float
    inner: tuple[float, float]
    outer: tuple[float, float]
    source: str

    @classmethod
    def of_mean(cls, mean: float, deviation: float, source: str) -> Reference:
        """From a published mean and standard deviation."""
        return cls(mean, (mean - deviation, mean + deviation), (mean - 2 * deviation, mean + 2 * deviation), source)

    @classmethod
    def of_sample(cls, values: list[float], source: str) -> Reference:
        """From measured values, by percentiles 2.5, 16, 50, 84 and 97.5."""
        low2, low, middle, high, high2 = np.percentile(values, (2.5, 16, 50, 84, 97.5))
        return cls(float(middle), (float(low), float(high)), (float(low2), float(high2)), source)


# Men and women together: mean of the two means, pooled deviation with the difference between them.
LITERATURE: dict[str, Reference] = {
    # Inner diameter on CT, 16.5 +- 2.1 mm in men and 14.5 +- 1.7 mm in women.
    "aorta calibre": Reference.of_mean(15.5, 2.2, "infrarenal, 10.1016/j.avsg.2019.05.030"),
    # 16.3 +- 2.9 by 25.8 +- 3.5 mm at the renal veins: the circle as large as that ellipse.
    "cava calibre": Reference.of_mean(20.5, 2.3, "at the renal veins, 10.7759/cureus.31845"),
    # 100 kidney donors by CT angiography: 5.8 +- 1.2 mm left, 5.2 +- 1.0 mm right.
    "renal artery calibre": Reference.of_mean(
        5.5, 1.1, "Srivastava et al., imsear.searo.who.int/items/512bfe7e-4bb3-4718-a58e-5f9f45ae2574"
    ),
    # Our choice after textbooks (about 12 mm in life, less in the supine patient whose vein is flat).
    "renal vein calibre": Reference.of_mean(10.0, 2.0, "our choice after textbooks"),
    # Largest diameter, mean 4.35 mm, 95 % up to 6.9 mm; the median along a ureter is smaller.
    "ureter width": Reference(4.0, (2.8, 5.4), (1.5, 6.9), "10.1186/s12301-020-00021-0, lower end our choice"),
    # From the kidney's lower end on, so some 30 mm less than from the pelvis to the bladder.
    "ureter length": Reference.of_mean(220.0, 25.0, "our choice after textbooks"),
}


def atlas_shapes(folder: Path, count: int) -> Values:
    """Kidney shapes of `count` cases evenly taken from the kidney atlas.

    Raises InputError if the folder holds no case_*.nii.gz.
    """
    cases = sorted(Path(folder).glob("case_*.nii.gz"))
    if not cases:
        raise InputError(f"{folder} holds no case_*.nii.gz; give the kidney atlas folder (docs/training.md).")
    values: Values = {}
    for path in cases[:: max(1, len(cases) // count)][:count]:
        image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
        # At 2 mm: quick, and right to 1 % for a kidney's volume.
        labels = sitk.GetArrayFromImage(image)[::2, ::2, ::2]
        spacing = tuple(2 * s for s in image.GetSpacing()[::-1])
        merge(values, kidney_shapes(np.where(labels == 3, 6, labels).astype(np.uint8), spacing))
    return values


def merge(values: Values, more: Values) -> None:
    """Adds the lists of `more` to those of `values`."""
    for name, found in more.items():
        values.setdefault(name, []).extend(found)
