"""KiPA22: one kidney with its tumor, renal artery and vein a scan (https://kipa22.grand-challenge.org)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError
from .case import Case, Layout, labels_of, paired

KIPA22 = Layout("KiPA22", "train/image/*.nii.gz and train/label/*.nii.gz")
_STRUCTURE_OF = labels_of("vein", "kidney", "artery", "tumor")
_STORED_OFFSETS = (0, 1024)
_FAT_HU = -100
_SEARCH_HU = 60
_NEAR_HU = 40
_SMOOTHING_HU = 9
_LEAST_SHARE = 0.005


def kipa_cases(folder: Path) -> list[Case]:
    """The training cases in a folder, or in its folder `train`. Raises InputError that names a missing file."""
    root = folder / "train" if (folder / "train").is_dir() else folder
    cases = paired(root / "image", root / "label", KIPA22)
    return [Case(name, image, labels, _STRUCTURE_OF, may_be_shifted=True) for name, image, labels in cases]


def stored_offset(array: np.ndarray, name: str = "The image") -> int:
    """What was added to the HU of an image: 0 or 1024, told by its fat, which lies near -100 HU.

    Raises InputError, beginning with `name`, if fat is seen at neither place.
    """
    shares = {offset: _fat_share(array, offset + _FAT_HU) for offset in _STORED_OFFSETS}
    offset = max(shares, key=shares.__getitem__)
    if shares[offset] < _LEAST_SHARE:
        expected = " nor ".join(str(o + _FAT_HU) for o in _STORED_OFFSETS)
        raise InputError(
            f"{name} shows fat neither near {expected}, so its values are neither HU nor HU + 1024; download it again."
        )
    return offset


def _fat_share(array: np.ndarray, expected: int) -> float:
    """Share of the voxels that belong to a histogram peak near an expected value; 0 without a peak there."""
    low = expected - _SEARCH_HU
    values = array[(array >= low) & (array <= expected + _SEARCH_HU)].astype(int) - low
    counts = np.bincount(values, minlength=2 * _SEARCH_HU + 1)
    smooth = np.convolve(counts, np.ones(_SMOOTHING_HU) / _SMOOTHING_HU, mode="same")
    peak = int(smooth.argmax()) + low
    return len(values) / array.size if abs(peak - expected) <= _NEAR_HU else 0.0
